# SPDX-License-Identifier: Apache-2.0
"""MUL against TFLM, with broadcasting and constant operands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compiler.ops.elementwise_cases import binary_case
from tests.compiler.ops.generate import ACTIVATIONS, Random
from tests.support.differential import Case, Tolerance, check

CASES = 130


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 6)
    half = 128 if dtype == "int8" else 32768

    def output(q1: dict[str, Any], q2: dict[str, Any]) -> dict[str, Any]:
        if not q1:
            return {}
        scale = q1["scale"] * q2["scale"] * half * r.choice((1.0, 0.3, 0.01, 5.0))
        return {"scale": scale, "zero_point": r.zero_point(dtype)}

    return binary_case(f"MUL {dtype} #{index}", r, "MUL", dtype, output, activation=r.choice(ACTIVATIONS))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))
