# SPDX-License-Identifier: Apache-2.0
"""PRELU against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 115


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 45)
    shape = r.shape(4, 1, 5)
    alpha_shape = r.choice(((1, 1, shape[3]), (shape[3],), shape[1:]))
    alpha_dtype = "int8" if dtype == "int16" else dtype

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype, 1e-3, 0.5)
        x = graph.input(shape, dtype, **q)
        alpha = graph.constant(r.values(alpha_shape, alpha_dtype), **r.quantization(alpha_dtype, 1e-3, 0.02))
        out = (
            {"scale": q["scale"] * r.choice((1.0, 0.7, 2.0)), "zero_point": r.zero_point(dtype)} if q else {}
        )
        y = graph.tensor(shape, dtype, **out)
        graph.op("PRELU", [x, alpha], [y])
        return [x], [y]

    return case(f"prelu {dtype} {shape} {alpha_shape} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))
