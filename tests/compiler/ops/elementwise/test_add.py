# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB against TFLM, with broadcasting and constant operands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.elementwise_cases import binary_case
from tests.compiler.ops.generate import ACTIVATIONS, Random
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import ModelBuilder

CASES = 130


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 5, op == "SUB")

    def output(q1: dict[str, Any], q2: dict[str, Any]) -> dict[str, Any]:
        if not q1:
            return {}
        scale = (q1["scale"] + q2["scale"]) * r.choice((1.0, 0.7, 0.1, 5.0))
        return {"scale": scale, "zero_point": r.zero_point(dtype)}

    activation = "NONE" if (op, dtype) == ("ADD", "int32") else r.choice(ACTIVATIONS)
    return binary_case(f"{op} {dtype} #{index}", r, op, dtype, output, activation=activation)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
@pytest.mark.parametrize("op", ["ADD", "SUB"])
def test_integer_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["ADD", "SUB"])
def test_ratios_of_scales_keep_the_bits_of_a_double(op: str, tmp_path: Path) -> None:
    """With ratios rounded to float32 this difference comes out as 31438."""
    model = ModelBuilder()
    graph = model.graph()
    a, b = graph.input((1,), "int16", 0.13694298267364502), graph.input((1,), "int16", 0.015625)
    y = graph.tensor((1,), "int16", 0.10679759085178375)
    graph.op(op, [a, b], [y])
    graph.output(y)
    samples = [[np.array([23570], np.int16), np.array([sign * 8301], np.int16)] for sign in (-1, 1)]
    check([Case(op, model.build(), samples)], tmp_path, at_least=1)


@pytest.mark.parametrize("op", ["ADD", "SUB"])
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [random_case(index, op, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))
