# SPDX-License-Identifier: Apache-2.0
"""L2_NORMALIZATION against TFLM."""

from __future__ import annotations

from pathlib import Path

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 120


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 52)
    shape = (*r.shape(r.integer(0, 3), 1, 4), r.integer(1, 40))

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input(shape, dtype, **r.quantization(dtype))
        y = graph.tensor(shape, dtype, **({"scale": 1 / 128} if dtype == "int8" else {}))
        graph.op("L2_NORMALIZATION", [x], [y])
        return [x], [y]

    return case(f"l2 normalization {dtype} {shape} #{index}", r, build)


def test_integer_bytes_equal_tflm(tmp_path: Path) -> None:
    check([random_case(index, "int8") for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))
