# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import ACTIVATIONS, Random, case
from tests.compiler.ops.linear.test_conv_2d import output_size
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 120


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 4, op == "MAX_POOL_2D")
    batches, channels = r.choice((1, 1, 2)), r.integer(1, 5)
    height, width = r.integer(1, 9), r.integer(1, 9)
    padding = r.choice(("SAME", "VALID"))
    taps = (r.integer(1, 5), r.integer(1, 5))
    stride = (r.integer(1, 3), r.integer(1, 3))
    size = [output_size(extent, taps[i], stride[i], 1, padding) for i, extent in enumerate((height, width))]
    if 0 in size:
        padding, size = "SAME", [-(-height // stride[0]), -(-width // stride[1])]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        quantization = r.quantization(dtype, 0.01, 0.2)
        x = graph.input((batches, height, width, channels), dtype, **quantization)
        y = graph.tensor((batches, *size, channels), dtype, **quantization)
        graph.op(
            op, [x], [y], padding=padding, activation=r.choice(ACTIVATIONS), stride_h=stride[0],
            stride_w=stride[1], filter_height=taps[0], filter_width=taps[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"{op} {dtype} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("op", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_integer_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"])
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [random_case(index, op, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))
