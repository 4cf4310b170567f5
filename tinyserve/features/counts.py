# SPDX-License-Identifier: Apache-2.0
"""Which values there are, and how often, over any number of them, piece by piece: exact."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.errors import DataError

Array = npt.NDArray[Any]
MOST = 1 << 20
"""Different values that are counted. More are measurements, and no vocabulary."""


class Counts:
    """How often each value is there, NaN left out. -0 is 0."""

    def __init__(self) -> None:
        self.counts: Counter[float] = Counter()

    def fresh(self) -> Counts:
        """An empty one of the same kind."""
        return Counts()

    def add(self, values: Array) -> None:
        """float32 of any shape. Raises DataError for too many different ones."""
        known = values[~np.isnan(values)] + np.float32(0)
        found, counts = np.unique(known, return_counts=True)
        self.counts.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        self._check()

    def merge(self, other: Counts) -> None:
        """What the other has counted, too."""
        self.counts.update(other.counts)
        self._check()

    def frequent(self, most: int, at_least: int) -> list[float]:
        """The ``most`` most frequent values (of equally frequent ones the least) that are there ``at_least``
        so often, in ascending order."""
        ranked = sorted(self.counts.items(), key=lambda one: (-one[1], one[0]))
        return sorted(value for value, count in ranked[:most] if count >= at_least)

    def _check(self) -> None:
        if len(self.counts) > MOST:
            raise DataError(
                f"a vocabulary of over {MOST:,} different values",
                'put a step of kind "bucketize" before it, or select the column that it is of',
            )
