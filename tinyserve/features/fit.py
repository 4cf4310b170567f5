# SPDX-License-Identifier: Apache-2.0
"""The numbers that data decides: offsets, factors, what stands for a missing value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.errors import DataError
from tinyserve.features.run import FeatureRunner
from tinyserve.features.spec import Fitted, Impute, Scale, Spec, Step, is_open, name_of

Array = npt.NDArray[Any]


def fitted(spec: Spec, samples: Array) -> Spec:
    """The specification with the numbers of every ``fit`` step taken from raw samples (N, *shape).

    Each step sees what the steps before it, fitted already, make of all samples. Statistics are of each entry
    of the last axis, over samples and all other axes, in float64. Raises DataError where no step wants to be
    fitted, and what ``FeatureRunner.run`` raises.
    """
    if not any(is_open(step) for step in spec.steps):
        raise DataError(
            "no step of the specification wants to be fitted", 'a step of kind "scale" with fit = "standard"'
        )
    steps = list(spec.steps)
    for index, step in enumerate(steps):
        if is_open(step):
            steps[index] = _with_numbers(step, _before(spec, steps[:index], step, samples))
    digest = hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()
    return msgspec.structs.replace(spec, steps=steps, fitted=Fitted(len(samples), digest))


def with_placeholders(spec: Spec) -> Spec:
    """Numbers that change nothing in steps that are still to be fitted: for what looks at shapes alone."""
    neutral: dict[type, dict[str, list[float]]] = {Scale: {"factor": [1.0]}, Impute: {"values": [0.0]}}
    steps = [
        msgspec.structs.replace(step, **neutral[type(step)]) if is_open(step) else step for step in spec.steps
    ]
    return msgspec.structs.replace(spec, steps=steps)


def _before(spec: Spec, before: list[Step], step: Step, samples: Array) -> Array:
    """What the step would get: (values, features)."""
    if step.input:
        names = [name_of(number, one) for number, one in enumerate(before, 1)]
        before = before[: names.index(step.input) + 1] if step.input in names else []
    values = FeatureRunner(Spec(spec.input, before)).run(samples) if before else samples
    return values.reshape(-1, values.shape[-1]).astype(np.float64)


def _with_numbers(step: Step, values: Array) -> Step:
    if isinstance(step, Impute):
        return msgspec.structs.replace(step, values=_stand_ins(step, values))
    assert isinstance(step, Scale)
    if not np.isfinite(values).all():
        raise DataError(
            "a scale is fitted to values that are missing or infinite",
            'put a step of kind "impute" before it',
        )
    offset, spread = _SPREADS[str(step.fit)](values)
    factor = 1 / np.where(spread > 0, spread, 1)  # what never varies stays as it is
    return msgspec.structs.replace(step, offset=_floats(offset), factor=_floats(factor))


def _stand_ins(step: Impute, values: Array) -> list[float]:
    known = np.isfinite(values).any(axis=0)
    if not known.all():
        raise DataError(
            f"feature {int(np.argmin(known))} is missing in all of the data", "give values = [...] yourself"
        )
    average = np.nanmedian if step.fit == "median" else np.nanmean
    return _floats(average(values, axis=0))


def _floats(values: Array) -> list[float]:
    """As float32 holds them, which is what is computed with."""
    return [float(value) for value in np.asarray(values, np.float32)]


def _standard(values: Array) -> tuple[Array, Array]:
    return values.mean(axis=0), values.std(axis=0)


def _minmax(values: Array) -> tuple[Array, Array]:
    return values.min(axis=0), np.ptp(values, axis=0)


def _robust(values: Array) -> tuple[Array, Array]:
    low, middle, high = np.percentile(values, (25, 50, 75), axis=0)
    return middle, high - low


_SPREADS: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "standard": _standard,
    "minmax": _minmax,
    "robust": _robust,
}
