# SPDX-License-Identifier: Apache-2.0
"""Names of tensors that have the same part in every step of an unrolled layer, and one scale for them.

A front end calls such tensors by ``step``. Calibration finds a range of its own for each step; with the union
of these, the steps have the same tables and parameters, which are in flash once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from tinyserve.compiler.graph import objects

_STEP = re.compile(r"(^|[./])(step|backwards)~\d+(?=/)")


def step(layer: str, number: int) -> str:
    """A part of the names of what belongs to one step. ``layer``: "step", or "backwards"."""
    return f"{layer}~{number}"


def role(name: str) -> str:
    """The name without the number of the step; '' for what is in no step."""
    found, count = _STEP.subn(r"\1\2", name)
    return found if count else ""


def united(calibrated: bytes) -> bytes:
    """A calibrated float .tflite in which tensors of the same role have one range."""
    model = objects.unpack(calibrated)
    groups: dict[str, list[object]] = {}
    for tensor in model.subgraphs[0].tensors:
        name = role(objects.text(tensor.name))
        if name and _has_range(tensor):
            groups.setdefault(name, []).append(tensor.quantization)
    if not any(len(group) > 1 for group in groups.values()):
        return calibrated
    for group in groups.values():
        _unite(group)
    return objects.pack(model)


def _has_range(tensor: object) -> bool:
    quantization = getattr(tensor, "quantization", None)
    return quantization is not None and quantization.min is not None and len(quantization.min) == 1


def _unite(group: Iterable[object]) -> None:
    ranges = list(group)
    for end, take in (("min", np.min), ("max", np.max)):
        value = float(take([float(getattr(one, end)[0]) for one in ranges]))
        for one in ranges:
            setattr(one, end, [value])
