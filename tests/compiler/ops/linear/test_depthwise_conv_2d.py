# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D against TFLM: multipliers, strides, dilations, paddings, scales."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import ACTIVATIONS, Random, case
from tests.compiler.ops.linear.test_conv_2d import output_size, weights_of
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.run_time import computed_weights

CASES = 120


def random_case(index: int, dtype: str, weights_dtype: str = "int8") -> Case:
    r = Random(index, 2)
    batches, channels, multiplier = r.choice((1, 1, 1, 2)), r.integer(1, 6), r.choice((1, 1, 2, 3))
    height, width = r.integer(1, 9), r.integer(1, 9)
    padding = r.choice(("SAME", "VALID"))
    stride, dilation = (r.integer(1, 3), r.integer(1, 3)), (r.integer(1, 2), r.integer(1, 2))
    taps = (r.integer(1, 4), r.integer(1, 4))
    size = [
        output_size(extent, taps[i], stride[i], dilation[i], padding)
        for i, extent in enumerate((height, width))
    ]
    if 0 in size:
        padding, size = "SAME", [-(-height // stride[0]), -(-width // stride[1])]
    activation = r.choice(ACTIVATIONS)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        quantization = r.quantization(dtype)
        x = graph.input((batches, height, width, channels), dtype, **quantization)
        weights, bias, scale = weights_of(
            r,
            graph,
            (1, *taps, channels * multiplier),
            axis=3,
            dtype=dtype,
            input_scale=quantization.get("scale", 0.0),
            weights_dtype=weights_dtype,
        )
        out = {} if dtype == "float32" else {"scale": scale, "zero_point": r.zero_point(dtype)}
        y = graph.tensor((batches, *size, channels * multiplier), dtype, **out)
        inputs = [x, weights, bias] if bias is not None else [x, weights]
        graph.op(
            "DEPTHWISE_CONV_2D", inputs, [y], padding=padding, activation=activation, stride_h=stride[0],
            stride_w=stride[1], dilation_h_factor=dilation[0], dilation_w_factor=dilation[1],
            depth_multiplier=multiplier,
        )  # fmt: skip
        return [x], [y]

    return case(f"depthwise {dtype} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_int4_weights_give_tflms_bytes(tmp_path: Path) -> None:
    cases = [random_case(index, "int8", "int4") for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_computed_weights_give_tflms_bytes(dtype: str, tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, dtype), index) for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_computed_float_weights_are_close_to_tflm(tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, "float32"), index) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-4, 1e-5))
