# SPDX-License-Identifier: Apache-2.0
"""SQUARED_DIFFERENCE against TFLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compiler.ops.elementwise_cases import binary_case
from tests.compiler.ops.generate import Random
from tests.support.differential import Case, Tolerance, check

CASES = 120


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 43)
    half = 128 if dtype == "int8" else 32768

    def output(q1: dict[str, Any], q2: dict[str, Any]) -> dict[str, Any]:
        if not q1:
            return {}
        largest = max(q1["scale"], q2["scale"]) ** 2
        return {"scale": largest * half * r.choice((1.0, 0.3, 0.01)), "zero_point": r.zero_point(dtype)}

    return binary_case(f"squared difference {dtype} #{index}", r, "SQUARED_DIFFERENCE", dtype, output)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))
