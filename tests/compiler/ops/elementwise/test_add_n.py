# SPDX-License-Identifier: Apache-2.0
"""ADD_N against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 103)
    shape, count = r.shape(r.integer(1, 4), 1, 5), r.integer(2, 5)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        inputs = [graph.input(shape, dtype, **q) for _ in range(count)]
        operands = [*inputs, inputs[0]] if r.chance(0.2) else inputs
        y = graph.tensor(shape, dtype, **r.quantization(dtype))
        graph.op("ADD_N", operands, [y])
        return inputs, [y]

    return case(f"add_n {dtype} {shape} x{count} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)
