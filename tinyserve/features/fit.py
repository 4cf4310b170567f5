# SPDX-License-Identifier: Apache-2.0
"""The numbers that data decides: offsets, factors, what stands for a missing value.

Data goes by in pieces, as often as steps wait for one another; quantiles take another pass or two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.errors import DataError, UsageError
from tinyserve.features.counts import Counts
from tinyserve.features.gather import Gathered, here, on_cluster
from tinyserve.features.model import written
from tinyserve.features.spec import (
    Bucketize,
    Fitted,
    Impute,
    OneHot,
    Scale,
    Spec,
    Step,
    Vocabulary,
    is_open,
    name_of,
)
from tinyserve.features.statistics import Moments, Quantiles

Array = npt.NDArray[Any]
Pieces = Callable[[], Iterable[Array]]
"""Goes through all samples (n, *shape) anew, in order."""
_QUARTERS = (0.25, 0.5, 0.75)


def fitted(spec: Spec, samples: Array) -> Spec:
    """As ``fitted_to``, of samples (N, *shape) that are in memory."""
    return fitted_to(spec, lambda: [samples])


def fitted_to(spec: Spec, pieces: Pieces, *, scheduler: str = "") -> Spec:
    """The specification with the numbers of every ``fit`` step taken from raw samples.

    Each step sees what the steps before it, fitted already, make of all samples. Statistics are of each entry
    of the last axis, over samples and all other axes (vocabularies and buckets: of all values), and exact:
    they are the same whatever the pieces, in whichever order they are added.
    Memory is that of a piece, and of histograms where quantiles are wanted. ``scheduler``: of a Dask cluster
    that computes features and statistics; its workers need tinyserve and a C compiler.

    Raises DataError where no step wants to be fitted, where the data changes from one pass to the next, and
    what ``FeatureRunner`` raises; UsageError for a stream on a cluster; DeviceError for a cluster that fails.
    """
    if not any(is_open(step) for step in spec.steps):
        raise DataError(
            "no step of the specification wants to be fitted", 'a step of kind "scale" with fit = "standard"'
        )
    if scheduler and spec.input.stream:
        raise UsageError("a stream has one order, and no cluster to share it", "leave --scheduler out")
    source = _Source(pieces)
    with on_cluster(scheduler) if scheduler else nullcontext(here) as gathered:
        steps = list(spec.steps)
        for index, step in enumerate(steps):
            if is_open(step):
                before = Spec(spec.input, _before(steps[:index], step))
                steps[index] = _with_numbers(step, _Column(before, source, gathered))
    assert source.seen is not None
    return msgspec.structs.replace(spec, steps=steps, fitted=source.seen)


def with_placeholders(spec: Spec) -> Spec:
    """Numbers that change nothing in steps that are still to be fitted: for what looks at shapes alone. A
    vocabulary has as many values as it may have."""
    return msgspec.structs.replace(
        spec, steps=[_neutral(step) if is_open(step) else step for step in spec.steps]
    )


def widest(spec: Spec) -> dict[str, int]:
    """By their names the steps whose vocabulary is still to be found, and how many values each may have."""
    return {
        name_of(number, step): step.most
        for number, step in enumerate(spec.steps, 1)
        if is_open(step) and isinstance(step, OneHot | Vocabulary)
    }


def _neutral(step: Step) -> Step:
    if isinstance(step, Scale):
        return msgspec.structs.replace(step, factor=[1.0])
    if isinstance(step, Bucketize):
        return msgspec.structs.replace(step, boundaries=[0.0])
    count = step.most if isinstance(step, OneHot | Vocabulary) else 1
    return msgspec.structs.replace(step, values=[float(number) for number in range(count)])


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
    """What a step would get: the features of the steps before it."""

    def __init__(self, before: Spec, source: _Source, gathered: Gathered) -> None:
        self._before, self._source, self._gathered = before, source, gathered

    @property
    def width(self) -> int:
        """Features on the last axis."""
        shape = written(self._before)[1].output.shape if self._before.steps else self._before.input.shape
        return shape[-1]

    def moments(self) -> Moments:
        """Of each feature, in one pass."""
        found = Moments(self.width)
        self._gathered(self._before, self._source, found)
        if not (found.count + found.missing).any():
            raise DataError("there is no sample", "give at least one")
        return found

    def counts(self) -> Counts:
        """Of the values of all features, in one pass."""
        found = Counts()
        self._gathered(self._before, self._source, found)
        if not found.counts:
            raise DataError("there is no value", "give at least one that is not missing")
        return found

    def quantiles(self, counts: Sequence[int], shares: Sequence[float]) -> Array:
        """(shares, features), in two passes (more where there are hundreds of features). ``counts``: how many
        values each has; one number for all features together."""
        found = Quantiles(counts, shares)
        while not found.is_done:
            found.begin()
            self._gathered(self._before, self._source, found)
            found.end()
        return found.values()


def _before(before: list[Step], step: Step) -> list[Step]:
    """The steps whose values the step takes."""
    if not step.input:
        return before
    names = [name_of(number, one) for number, one in enumerate(before, 1)]
    return before[: names.index(step.input) + 1] if step.input in names else []


def _with_numbers(step: Step, column: _Column) -> Step:
    if isinstance(step, OneHot | Vocabulary):
        return msgspec.structs.replace(step, values=_frequent(step, column))
    if isinstance(step, Bucketize):
        return msgspec.structs.replace(step, boundaries=_boundaries(step, column))
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


def _frequent(step: OneHot | Vocabulary, column: _Column) -> list[float]:
    found = column.counts().frequent(step.most, step.at_least)
    if not found:
        raise DataError(f"no value is there {step.at_least} times", "a smaller at_least")
    if not np.isfinite(found).all():
        raise DataError("values are infinite: they are no vocabulary", "give values = [...] yourself")
    return found


def _boundaries(step: Bucketize, column: _Column) -> list[float]:
    """Between buckets that hold equally many values; equal ones are one."""
    if step.buckets is None:
        raise DataError('fit = "quantiles" without the number of buckets', "buckets = 10")
    moments = column.moments()
    if not moments.is_finite or not moments.count.any():
        raise DataError(
            "buckets are fitted to values that are infinite, or all missing",
            "give boundaries = [...] yourself",
        )
    shares = [number / step.buckets for number in range(1, step.buckets)]
    return sorted(set(_floats(column.quantiles([int(moments.count.sum())], shares)[:, 0])))


def _spread(kind: str, column: _Column, moments: Moments) -> tuple[Array, Array]:
    """What is taken away, and what is divided by."""
    if kind == "standard":
        return moments.means(), moments.deviations()
    if kind == "minmax":
        return moments.least, moments.most - moments.least
    low, middle, high = column.quantiles(moments.count.tolist(), _QUARTERS)
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
        return _floats(column.quantiles(moments.count.tolist(), (0.5,))[0])
    return _floats(moments.means())


def _floats(values: Array) -> list[float]:
    """As float32 holds them, which is what is computed with."""
    return [float(value) for value in np.asarray(values, np.float32)]
