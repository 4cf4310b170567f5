# SPDX-License-Identifier: Apache-2.0
"""Training-serving skew: features that a training set holds against ours, from the same raw data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.errors import DataError, TinyserveError
from tinyserve.features.run import FeatureRunner
from tinyserve.features.spec import Log, Mel, Mfcc, Spec, Spectrum, Step, name_of

Array = npt.NDArray[Any]
SAME_DB = 60.0
"""Signal to difference from which features count as the same: a thousandth of their size."""


@dataclass(frozen=True)
class Column:
    """One feature: how far ours is from what was prepared, in decibels (infinite where nothing differs)."""

    index: int
    sqnr_db: float
    largest: float

    @property
    def is_same(self) -> bool:
        return self.sqnr_db >= SAME_DB


@dataclass(frozen=True)
class Skew:
    """``explanation`` names what would explain the difference, '' where nothing tried does."""

    sqnr_db: float
    columns: list[Column]
    explanation: str

    @property
    def is_same(self) -> bool:
        return all(column.is_same for column in self.columns)


def compared(spec: Spec, raw: Array, prepared: Array) -> Skew:
    """Compares what the specification makes of raw samples (N, *shape) with what was prepared (N, ...).

    Raises DataError where they have other numbers of samples or features.
    """
    ours = FeatureRunner(spec).run(raw)
    if len(ours) != len(prepared) or ours[0].size != prepared[0].size:
        raise DataError(
            f"the features are {list(ours.shape)}, and what was prepared is {list(prepared.shape)}",
            "the same samples in the same order, and as many features each",
        )
    wanted = prepared.reshape(ours.shape).astype(np.float64)
    if not np.isfinite(wanted).all():
        bad = np.argwhere(~np.isfinite(wanted))
        raise DataError(
            f"{len(bad)} prepared values are missing or infinite, the first in sample {int(bad[0][0])}",
            "leave those samples out of both",
        )
    columns = [
        Column(
            index, _db(wanted[..., index], ours[..., index]), _largest(wanted[..., index], ours[..., index])
        )
        for index in range(ours.shape[-1])
    ]
    skew = Skew(_db(wanted, ours), columns, "")
    return skew if skew.is_same else Skew(skew.sqnr_db, columns, _explained(spec, raw, wanted, ours))


def _explained(spec: Spec, raw: Array, wanted: Array, ours: Array) -> str:
    """The first change of one parameter that makes them the same, or else a line that they lie on."""
    best, found = SAME_DB, ""
    for what, changed in _changes(spec):
        try:
            other = FeatureRunner(changed).run(raw)
        except TinyserveError:
            continue
        if other.size == wanted.size and (db := _db(wanted, other.reshape(wanted.shape))) >= best:
            best, found = db, what
    return found or _line(wanted, ours)


def _line(wanted: Array, ours: Array) -> str:
    """A factor and an offset, for all features alike."""
    x, y = ours.reshape(-1).astype(np.float64), wanted.reshape(-1)
    if np.ptp(x) == 0:
        return ""
    factor, offset = np.polyfit(x, y, 1)
    if _db(y, factor * x + offset) < SAME_DB:
        return ""
    return f"prepared = {factor:.6g} * ours + {offset:.6g}: a unit, a base of the logarithm or a scale"


_CHOICES: dict[type, dict[str, Sequence[Any]]] = {
    Spectrum: {"window": ("hann", "hamming", "none"), "output": ("power", "magnitude")},
    Mel: {"scale": ("htk", "slaney"), "area": (False, True), "low_hz": (0.0, 20.0, 80.0, 125.0)},
    Mfcc: {
        "window": ("hann", "hamming", "none"),
        "scale": ("htk", "slaney"),
        "low_hz": (0.0, 20.0, 80.0, 125.0),
        "bands": (20, 23, 26, 32, 40, 64, 80, 128),
        "floor": (1e-12, 1e-10, 1e-6, 1.0),
    },
    Log: {"base": ("e", "10"), "factor": (1.0, 10.0, 20.0), "floor": (1e-12, 1e-10, 1e-6, 1.0)},
}


def _changes(spec: Spec) -> Iterator[tuple[str, Spec]]:
    """The specification with one parameter of one step changed, and what was changed."""
    for index, step in enumerate(spec.steps):
        for field, values in _CHOICES.get(type(step), {}).items():
            for value in values:
                if value != getattr(step, field):
                    changed: Step = msgspec.structs.replace(step, **{field: value})
                    steps = [*spec.steps[:index], changed, *spec.steps[index + 1 :]]
                    name = name_of(index + 1, step)
                    shown = str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
                    yield f"step '{name}': {field} = {shown}", Spec(spec.input, steps)


def _largest(wanted: Array, got: Array) -> float:
    return float(np.abs(wanted - got).max())


def _db(wanted: Array, got: Array) -> float:
    """Of the signal about its mean, so that a large constant does not hide a difference."""
    noise = float(np.square(wanted - got).sum())
    signal = float(np.square(wanted - wanted.mean()).sum())
    if noise == 0:
        return np.inf
    return float(10 * np.log10(signal / noise)) if signal else -np.inf
