# SPDX-License-Identifier: Apache-2.0
"""Histograms of the reference and of devices side by side, over real values, for every form of report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinyserve.bundle import Manifest, TensorInfo
from tinyserve.health.counters import Counters
from tinyserve.health.profile import BINS, Profile


@dataclass(frozen=True)
class Series:
    """One histogram. ``edges``: of its bins in real values, one more than there are bins; empty for classes,
    which have ``labels``. ``reference`` and ``seen``: counts."""

    what: str
    edges: tuple[float, ...]
    labels: tuple[str, ...]
    reference: tuple[int, ...]
    seen: tuple[int, ...]


def series_of(reference: Profile, seen: Counters, manifest: Manifest) -> list[Series]:
    """What can be compared: of inputs by channel, of the highest score, of the classes."""
    return list(_series(reference, seen, manifest))


def _series(reference: Profile, seen: Counters, manifest: Manifest) -> Iterator[Series]:
    groups = len(seen.codes)
    if groups == len(reference.codes):
        for group, (known, counts) in enumerate(zip(reference.codes, seen.codes, strict=True)):
            name = "input 0" if groups == 1 else f"input 0 channel {group}"
            edges = _edges(manifest.inputs[0], group)
            yield Series(name, edges, (), tuple(known.counts), tuple(counts))
    if reference.confidence and seen.confidence:
        edges = _edges(manifest.outputs[0], 0)
        yield Series("confidence", edges, (), tuple(reference.confidence), tuple(seen.confidence))
    if reference.classes and len(reference.classes) == len(seen.classes):
        labels = tuple(_label(manifest.labels, index) for index in range(len(seen.classes)))
        yield Series("classes", (), labels, tuple(reference.classes), tuple(seen.classes))


def _label(labels: Sequence[str], index: int) -> str:
    return labels[index] if index < len(labels) else f"class {index}"


def _edges(info: TensorInfo, group: int) -> tuple[float, ...]:
    """Of sixteenths of the type's range; in codes where the tensor has no scale."""
    limits = np.iinfo(np.dtype(info.dtype))
    scale = info.scales[group] if group < len(info.scales) else info.scale
    zero_point = info.zero_points[group] if group < len(info.zero_points) else info.zero_point
    step = (int(limits.max) - int(limits.min) + 1) // BINS
    codes = [int(limits.min) + step * index for index in range(BINS + 1)]
    return tuple((code - zero_point) * (scale or 1.0) for code in codes)
