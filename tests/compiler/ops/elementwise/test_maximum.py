# SPDX-License-Identifier: Apache-2.0
"""MAXIMUM and MINIMUM against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.elementwise_cases import broadcast_shapes, output_shape
from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 115


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 40)
    first, second = broadcast_shapes(r)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        inputs = [graph.input(first, dtype, **q), graph.input(second, dtype, **q)]
        y = graph.tensor(output_shape(first, second), dtype, **q)
        graph.op(op, inputs, [y])
        return inputs, [y]

    return case(f"{op} {dtype} {first} {second} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "float32"])
@pytest.mark.parametrize("op", ["MAXIMUM", "MINIMUM"])
def test_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)
