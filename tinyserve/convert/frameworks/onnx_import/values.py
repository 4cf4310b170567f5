# SPDX-License-Identifier: Apache-2.0
"""Values of a channels-first model with the layouts that they have in memory.

A value has the shape that the source model gives it (its logical shape). In memory it lies in one or several
*forms*: axis i of a form with the permutation p is the logical axis p[i]. A transposition in the source moves
nothing: it makes another permutation of what is there. Nothing here compares shapes to find a layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Permutation = tuple[int, ...]


@dataclass(frozen=True)
class Flat:
    """A row (1, K) that lies in another order: column j in memory is the logical column ``order[j]``."""

    tensor: int
    order: npt.NDArray[np.intp]


@dataclass
class Value:
    """``data`` is of constants, in logical order. ``spatial``: channels lie last by nature, as convolutions
    have them. A value that has no form yet is a reshape of ``source``, and ``make`` computes it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    data: Array | None = None
    forms: dict[Permutation, int] = field(default_factory=dict)
    spatial: bool = False
    flat: Flat | None = None
    make: Callable[[], int] | None = None
    nonnegative: bool = False
    source: Value | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def natural(self) -> Permutation:
        """The permutation of its first form."""
        return next(iter(self.forms), identity(self.rank))


def identity(rank: int) -> Permutation:
    return tuple(range(rank))


def channels_last(rank: int) -> Permutation:
    """(N, C, ...) as (N, ..., C)."""
    return identity(rank) if rank < 3 else (0, *range(2, rank), 1)


def permuted(shape: Sequence[int], permutation: Permutation) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in permutation)


def same_order(shape: Sequence[int], first: Permutation, second: Permutation) -> bool:
    """Whether both forms have the same bytes: they differ in the places of axes of extent 1 alone."""
    real = [[axis for axis in form if shape[axis] != 1] for form in (first, second)]
    return real[0] == real[1]


def _groups(source: Sequence[int], target: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes on both sides that hold the same elements."""
    groups, i, j = list[tuple[list[int], list[int]]](), 0, 0
    while i < len(source) or j < len(target):
        left, right, count_left, count_right = list[int](), list[int](), 1, 1
        if i < len(source):
            left, count_left, i = [i], source[i], i + 1
        if j < len(target):
            right, count_right, j = [j], target[j], j + 1
        while count_left != count_right:
            if count_left < count_right and i < len(source):
                left, count_left, i = [*left, i], count_left * source[i], i + 1
            elif j < len(target):
                right, count_right, j = [*right, j], count_right * target[j], j + 1
            else:
                raise ValueError(f"{tuple(source)} has not the elements of {tuple(target)}")
        groups.append((left, right))
    return groups


def reshaped(source: Sequence[int], target: Sequence[int], form: Permutation) -> Permutation | None:
    """The form that a reshape of memory gives, where it means the logical reshape; None where it doesn't."""
    if 0 in source:
        return identity(len(target))
    order = [axis for axis in form if source[axis] != 1]
    placed, idle = list[tuple[int, list[int]]](), list[list[int]]()
    for left, right in _groups(source, target):
        real = [axis for axis in left if source[axis] != 1]
        if not real:
            idle.append(right)
            continue
        start = order.index(real[0])
        if order[start : start + len(real)] != real:
            return None
        placed.append((start, right))
    result = [axis for _, axes in sorted(placed) for axis in axes]
    for axes in idle:
        for axis in axes:
            after = [i for i, other in enumerate(result) if other < axis]
            result.insert(max(after, default=-1) + 1, axis)
    return tuple(result)
