# SPDX-License-Identifier: Apache-2.0
"""What is kept of each sample of a run, and what a task makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import Score

Array = npt.NDArray[Any]
UNKNOWN = -1


@dataclass(frozen=True)
class Rows:
    """Consecutive samples. What the columns hold is the task's:

    - classification: ``predicted`` and ``label`` (N,) are classes (-1: unknown), ``score`` the largest value,
      ``rank`` the place of the label among the scores (0: it won; -1: unknown)
    - regression: ``predicted`` and ``label`` (N, values) are in real units, NaN where unknown
    - segmentation: ``predicted`` (N, classes²) counts a sample's places by label and prediction, row by row
    - reconstruction: ``predicted`` (N,) is the mean squared error, ``label`` 1 for anomalies (-1: unknown)
    """

    first: int
    predicted: Array
    label: Array
    score: npt.NDArray[np.float32]
    rank: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.predicted)

    def head(self, count: int) -> Rows:
        """The first ``count`` samples."""
        return Rows(
            self.first, self.predicted[:count], self.label[:count], self.score[:count], self.rank[:count]
        )


class Tally(Protocol):
    """Adds up samples as they come. ``labelled``: how many have a label."""

    @property
    def labelled(self) -> int: ...

    @property
    def confusion(self) -> npt.NDArray[np.int64] | None: ...

    def add(self, rows: Rows) -> None: ...

    def scores(self) -> list[Score]:
        """The main metric first; none without labels, where the task needs them."""
        ...


class Task(Protocol):
    """What a model is for. ``why`` says how that is known."""

    @property
    def name(self) -> str: ...

    @property
    def why(self) -> str: ...

    def rows(self, first: int, outputs: Array, labels: Array | None, inputs: Sequence[Array]) -> Rows:
        """Of outputs (N, ...) in real units. Raises DataError for labels that do not fit."""
        ...

    def tally(self) -> Tally: ...


def unknown(count: int) -> npt.NDArray[np.int64]:
    """A column of classes, or of ranks, that nobody knows."""
    return np.full(count, UNKNOWN, np.int64)


def joined(parts: Sequence[Rows]) -> Rows:
    """Consecutive rows as one."""
    columns = ("predicted", "label", "score", "rank")
    return Rows(
        parts[0].first, *(np.concatenate([getattr(part, name) for part in parts]) for name in columns)
    )
