# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Array, Step, check
from tests.compiler.ops.generate import Random
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError


def scale(dtype: str, rows: int, width: int, single: bool) -> Step:
    r = Random(rows, width, 46)
    shape = (1 if single else width,)
    offsets, factors = (r.values(shape, "float32") for _ in range(2))

    def expected(given: list[Array]) -> list[Array]:
        return [(x.astype(np.float64) - offsets) * factors for x in given]

    return Step(
        "FeatureScale", (rows, width), (rows, width), {}, expected, (offsets, factors), dtype, "float32"
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "float32"])
def test_numbers_of_any_type_are_shifted_and_scaled(dtype: str, tmp_path: Path) -> None:
    steps = [
        scale(dtype, rows, width, single)
        for rows, width in ((1, 1), (3, 5), (4, 4))
        for single in (False, True)
    ]
    check(steps, tmp_path, 1e-6)


@pytest.mark.parametrize(("offsets", "factors"), [(2, 2), (1, 3), (3, 1), (4, 4)])
def test_other_numbers_of_offsets_or_factors_are_refused(offsets: int, factors: int) -> None:
    constants = (np.zeros(offsets, np.float32), np.ones(factors, np.float32))
    step = Step("FeatureScale", (1, 3), (1, 3), {}, lambda given: given, constants)
    with pytest.raises(ModelError):
        load(step.model())
