# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Array, Step, check
from tests.compiler.ops.generate import Random
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError


def bands(index: int) -> Step:
    r = Random(index, 45)
    rows, width, count = r.integer(1, 3), r.integer(1, 40), r.integer(1, 8)
    starts = np.array([r.integer(0, width - 1) for _ in range(count)], np.int32)
    counts = np.array([r.integer(0, width - start) for start in starts], np.int32)
    matrix = np.zeros((count, width), np.float32)
    for row, start, length in zip(matrix, starts, counts, strict=True):
        row[start : start + length] = r.values((length,), "float32")
    parts = [row[s : s + n] for row, s, n in zip(matrix, starts, counts, strict=True)]
    constants = (starts, counts, np.concatenate([*parts, np.zeros(0, np.float32)]))
    if not constants[2].size:
        return bands(index + 1000)

    def expected(given: list[Array]) -> list[Array]:
        return [x.astype(np.float64) @ matrix.T for x in given]

    return Step("FeatureBands", (rows, width), (rows, count), {}, expected, constants)


def test_weighted_sums_of_neighbours(tmp_path: Path) -> None:
    check([bands(index) for index in range(60)], tmp_path, 1e-5)


@pytest.mark.parametrize(
    ("starts", "counts"), [([3], [2]), ([-1], [2]), ([0], [-1]), ([0], [3]), ([2**31 - 1], [2])]
)
def test_bands_beyond_the_row_are_refused(starts: list[int], counts: list[int]) -> None:
    constants = (np.array(starts, np.int32), np.array(counts, np.int32), np.ones(2, np.float32))
    with pytest.raises(ModelError):
        load(Step("FeatureBands", (4,), (1,), {}, lambda given: given, constants).model())
