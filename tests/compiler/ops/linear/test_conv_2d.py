# SPDX-License-Identifier: Apache-2.0
"""CONV_2D against TFLM: strides, dilations, paddings, groups, per-channel and per-tensor scales."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import ACTIVATIONS, Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.run_time import computed_weights
from tinyserve.compiler.graph.types import Model

CASES = 120


def output_size(extent: int, taps: int, stride: int, dilation: int, padding: str) -> int:
    """Output extent of a window, 0 where it does not fit."""
    reach = (taps - 1) * dilation + 1
    return -(-extent // stride) if padding == "SAME" else max(0, (extent - reach) // stride + 1)


def weights_of(
    r: Random,
    graph: GraphBuilder,
    shape: tuple[int, ...],
    *,
    axis: int,
    dtype: str,
    input_scale: float,
    bias_dtype: str = "",
    weights_dtype: str = "int8",
) -> tuple[TensorRef, TensorRef | None, float]:
    """Weights, bias or none, and an output scale: mostly fitting the sums, now and then far too small.

    The bias is int32 for int8 and int64 for int16 unless ``bias_dtype`` says else. Weights may be int4.
    """
    channels = shape[axis]
    taps = int(np.prod(shape)) // channels
    if dtype == "float32":
        weights = graph.constant(r.values(shape, "float32"))
        return weights, graph.constant(r.values((channels,), "float32")) if r.chance(0.8) else None, 0.0
    low, high = (-8, 7) if weights_dtype == "int4" else (-127, 127)
    values = r.rng.integers(low, high + 1, shape).astype(np.int8)
    scales = [r.scale(1e-3, 0.1) for _ in range(channels if r.chance(0.8) else 1)]
    points = [0] * len(scales)
    weights = graph.constant(values, scale=scales, zero_point=points, dtype=weights_dtype, axis=axis)
    typical = input_scale * float(np.mean(scales)) * high * 60 * np.sqrt(taps) / 100
    output_scale = float(np.float32(typical * r.choice((1.0, 1.0, 1.0, 0.1, 1e-3, 30.0))))
    if not r.chance(0.85):
        return weights, None, output_scale
    wide = r.chance(0.1)
    span = 2**31 - 1 if wide and dtype == "int8" else 20000
    kind = bias_dtype or ("int32" if dtype == "int8" else "int64")
    bias = r.rng.integers(-span, span, channels).astype(kind)
    return weights, graph.constant(bias, scale=[input_scale * s for s in scales], axis=0), output_scale


def random_case(index: int, dtype: str, bias_dtype: str = "", weights_dtype: str = "int8") -> Case:
    r = Random(index, 1)
    batches, groups = r.choice((1, 1, 1, 2)), r.choice((1, 1, 1, 2, 3))
    height, width = r.integer(1, 9), r.integer(1, 9)
    per_group, channels = r.integer(1, 5), groups * r.integer(1, 4)
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
        x = graph.input((batches, height, width, per_group * groups), dtype, **quantization)
        weights, bias, scale = weights_of(
            r,
            graph,
            (channels, *taps, per_group),
            axis=0,
            dtype=dtype,
            input_scale=quantization.get("scale", 0.0),
            bias_dtype=bias_dtype,
            weights_dtype=weights_dtype,
        )
        out = {} if dtype == "float32" else {"scale": scale, "zero_point": r.zero_point(dtype)}
        y = graph.tensor((batches, *size, channels), dtype, **out)
        inputs = [x, weights, bias] if bias is not None else [x, weights]
        graph.op(
            "CONV_2D", inputs, [y], padding=padding, activation=activation, stride_h=stride[0],
            stride_w=stride[1], dilation_h_factor=dilation[0], dilation_w_factor=dilation[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"conv {dtype} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_int4_weights_give_tflms_bytes(tmp_path: Path) -> None:
    cases = [random_case(index, "int8", weights_dtype="int4") for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_int16_with_a_bias_of_int32_equals_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "int16", "int32") for index in range(CASES)]
    computed = [computed_weights(case, index) for index, case in enumerate(cases)]
    check(cases[::2] + computed[1::2], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))


def padded_case(index: int) -> Case:
    """A PAD with the zero point before an unpadded convolution."""
    r = Random(index, 61)
    height, width, depth, channels = r.integer(1, 6), r.integer(1, 6), r.integer(1, 4), r.integer(1, 4)
    pads = np.array([[0, 0], [r.integer(0, 3), r.integer(0, 3)], [r.integer(0, 3), r.integer(0, 3)], [0, 0]])
    padded = np.array((1, height, width, depth)) + pads.sum(axis=1)
    taps = (r.integer(1, min(4, int(padded[1]))), r.integer(1, min(4, int(padded[2]))))
    stride = (r.integer(1, 3), r.integer(1, 3))
    size = [output_size(int(padded[i + 1]), taps[i], stride[i], 1, "VALID") for i in range(2)]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization("int8")
        x = graph.input((1, height, width, depth), "int8", **q)
        wide = graph.tensor(padded, "int8", **q)
        graph.op("PAD", [x, graph.constant(pads.astype(np.int32))], [wide])
        weights, bias, scale = weights_of(
            r, graph, (channels, *taps, depth), axis=0, dtype="int8", input_scale=q["scale"]
        )
        y = graph.tensor((1, *size, channels), "int8", scale=scale, zero_point=r.zero_point())
        inputs = [wide, weights, bias] if bias is not None else [wide, weights]
        graph.op("CONV_2D", inputs, [y], padding="VALID", stride_h=stride[0], stride_w=stride[1])
        return [x], [y]

    return case(f"pad {pads.tolist()} and conv #{index}", r, build)


def merge_pad(model: Model) -> None:
    """What a pass does: the convolution takes over the padding."""
    pad, conv = model.main.nodes
    table = np.asarray(pad.inputs[1].data)
    (top, bottom), (left, right) = ([int(amount) for amount in table[axis]] for axis in (1, 2))
    conv.attributes = replace(conv.attributes, pad_top=top, pad_bottom=bottom, pad_left=left, pad_right=right)
    conv.inputs[0] = pad.inputs[0]
    model.main.nodes = [conv]


def test_explicit_padding_equals_a_pad_before_the_convolution(tmp_path: Path) -> None:
    check([padded_case(index) for index in range(CASES)], tmp_path, at_least=100, prepare=merge_pad)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_computed_weights_give_tflms_bytes(dtype: str, tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, dtype), index) for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_computed_float_weights_are_close_to_tflm(tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, "float32"), index) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-4, 1e-5))
