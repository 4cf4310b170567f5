# SPDX-License-Identifier: Apache-2.0
"""The numbers that data decides: offsets, factors, what stands for a missing value.

Data goes by in pieces, as often as steps wait for one another; quantiles take another pass or two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.errors import DataError
from tinyserve.features.run import FeatureRunner
from tinyserve.features.spec import Fitted, Impute, Scale, Spec, Step, is_open, name_of
from tinyserve.features.statistics import Moments, Quantiles

Array = npt.NDArray[Any]
Pieces = Callable[[], Iterable[Array]]
"""Goes through all samples (n, *shape) anew, in order."""
_QUARTERS = (0.25, 0.5, 0.75)


def fitted(spec: Spec, samples: Array) -> Spec:
    """As ``fitted_to``, of samples (N, *shape) that are in memory."""
    return fitted_to(spec, lambda: [samples])


def fitted_to(spec: Spec, pieces: Pieces) -> Spec:
    """The specification with the numbers of every ``fit`` step taken from raw samples.

    Each step sees what the steps before it, fitted already, make of all samples. Statistics are of each entry
    of the last axis, over samples and all other axes, and exact: they are the same whatever the pieces.
    Memory is that of a piece, and of histograms where quantiles are wanted. Raises DataError where no step
    wants to be fitted, where the data changes from one pass to the next, and what ``FeatureRunner`` raises.
    """
    if not any(is_open(step) for step in spec.steps):
        raise DataError(
            "no step of the specification wants to be fitted", 'a step of kind "scale" with fit = "standard"'
        )
    source = _Source(pieces)
    steps = list(spec.steps)
    for index, step in enumerate(steps):
        if is_open(step):
            steps[index] = _with_numbers(step, _Column(spec, _before(steps[:index], step), source))
    assert source.seen is not None
    return msgspec.structs.replace(spec, steps=steps, fitted=source.seen)


def with_placeholders(spec: Spec) -> Spec:
    """Numbers that change nothing in steps that are still to be fitted: for what looks at shapes alone."""
    neutral: dict[type, dict[str, list[float]]] = {Scale: {"factor": [1.0]}, Impute: {"values": [0.0]}}
    steps = [
        msgspec.structs.replace(step, **neutral[type(step)]) if is_open(step) else step for step in spec.steps
    ]
    return msgspec.structs.replace(spec, steps=steps)


class _Source:
    """The samples, and what they were in the first pass."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self.seen: Fitted | None = None

    def __iter__(self) -> Iterator[Array]:
        digest, count = hashlib.sha256(), 0
        for piece in self._pieces():
            digest.update(np.ascontiguousarray(piece).tobytes())
            count += len(piece)
            yield piece
        seen = Fitted(count, digest.hexdigest())
        if self.seen is not None and self.seen != seen:
            raise DataError("the data changed while it was read", "fit again when nothing writes to it")
        self.seen = seen


class _Column:
    """What a step would get: rows of features (n, width), piece by piece."""

    def __init__(self, spec: Spec, before: list[Step], source: _Source) -> None:
        self._runner = FeatureRunner(Spec(spec.input, before)) if before else None
        self._source = source

    def __iter__(self) -> Iterator[Array]:
        made = self._runner.pieces(self._source) if self._runner is not None else iter(self._source)
        for values in made:
            yield values.reshape(-1, values.shape[-1]).astype(np.float32)

    def moments(self) -> Moments:
        """In one pass."""
        found: Moments | None = None
        for values in self:
            found = found or Moments(values.shape[1])
            found.add(values)
        if found is None:
            raise DataError("there is no sample", "give at least one")
        return found

    def quantiles(self, moments: Moments, shares: tuple[float, ...]) -> Array:
        """In two passes (more where there are hundreds of columns)."""
        found = Quantiles(moments.count.tolist(), shares)
        while not found.is_done:
            found.begin()
            for values in self:
                found.add(values)
            found.end()
        return found.values()


def _before(before: list[Step], step: Step) -> list[Step]:
    """The steps whose values the step takes."""
    if not step.input:
        return before
    names = [name_of(number, one) for number, one in enumerate(before, 1)]
    return before[: names.index(step.input) + 1] if step.input in names else []


def _with_numbers(step: Step, column: _Column) -> Step:
    moments = column.moments()
    if isinstance(step, Impute):
        return msgspec.structs.replace(step, values=_stand_ins(step, column, moments))
    assert isinstance(step, Scale)
    if moments.missing.any() or not moments.is_finite:
        raise DataError(
            "a scale is fitted to values that are missing or infinite",
            'put a step of kind "impute" before it',
        )
    offset, spread = _spread(str(step.fit), column, moments)
    factor = 1 / np.where(spread > 0, spread, 1)  # what never varies stays as it is
    return msgspec.structs.replace(step, offset=_floats(offset), factor=_floats(factor))


def _spread(kind: str, column: _Column, moments: Moments) -> tuple[Array, Array]:
    """What is taken away, and what is divided by."""
    if kind == "standard":
        return moments.means(), moments.deviations()
    if kind == "minmax":
        return moments.least, moments.most - moments.least
    low, middle, high = column.quantiles(moments, _QUARTERS)
    return middle, high - low


def _stand_ins(step: Impute, column: _Column, moments: Moments) -> list[float]:
    if not moments.is_finite:
        raise DataError("values are infinite: they have no average", "give values = [...] yourself")
    if not moments.count.all():
        raise DataError(
            f"feature {int(np.argmin(moments.count))} is missing in all of the data",
            "give values = [...] yourself",
        )
    if step.fit == "median":
        return _floats(column.quantiles(moments, (0.5,))[0])
    return _floats(moments.means())


def _floats(values: Array) -> list[float]:
    """As float32 holds them, which is what is computed with."""
    return [float(value) for value in np.asarray(values, np.float32)]
