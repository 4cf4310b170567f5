# SPDX-License-Identifier: Apache-2.0
"""Random layers of batch 1 that the variants of every core take: factors below one, common windows."""

from __future__ import annotations

import numpy as np

from tests.compiler.ops.generate import Random, case
from tests.compiler.ops.linear.test_conv_2d import output_size
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

_INPUT_SCALE = 0.05


def _weights(
    r: Random, graph: GraphBuilder, shape: tuple[int, ...], axis: int
) -> tuple[TensorRef, TensorRef, float]:
    """Weights and bias, per channel or per tensor, and an output scale that uses or overflows the range."""
    channels = shape[axis]
    taps = int(np.prod(shape)) // channels
    values = r.rng.integers(-127, 128, shape).astype(np.int8)
    if r.chance(0.2):
        values[...] = r.choice((-127, 127))
    scales = [r.scale(0.004, 0.02) for _ in range(channels if r.chance(0.8) else 1)]
    weights = graph.constant(values, scale=scales, zero_point=[0] * len(scales), axis=axis)
    bias = graph.constant(
        r.rng.integers(-20000, 20000, channels).astype("int32"),
        scale=[_INPUT_SCALE * s for s in scales],
        axis=0,
    )
    typical = _INPUT_SCALE * float(np.mean(scales)) * 73 * np.sqrt(taps)
    return weights, bias, float(np.float32(typical * r.choice((0.3, 1.0, 1.0, 4.0))))


def _output(r: Random, graph: GraphBuilder, shape: tuple[int, ...], scale: float) -> tuple[TensorRef, str]:
    """The output and its activation: with RELU at the lowest zero point negative ties are never seen."""
    if r.chance(0.5):
        return graph.tensor(shape, "int8", scale=scale, zero_point=-128), "RELU"
    activation = r.choice(("NONE", "NONE", "RELU", "RELU6"))
    return graph.tensor(shape, "int8", scale=scale, zero_point=r.integer(-127, 127)), activation


def conv_case(seed: int) -> Case:
    """Strides, dilations, paddings, tails of channels and of pixels."""
    r = Random(seed, 177)
    height, width = r.integer(1, 12), r.integer(1, 12)
    inputs = r.choice((1, 2, 3, 4, 5, 8, 13, 16, 17, 32, 40))
    channels = r.choice((1, 2, 3, 4, 5, 6, 8, 10, 16, 18, 33))
    taps = r.choice(((1, 1), (1, 1), (1, 1), (3, 3), (3, 3), (2, 3), (5, 1), (10, 4)))
    stride = r.choice(((1, 1), (1, 1), (2, 2), (1, 2), (3, 1)))
    dilation = r.choice(((1, 1), (1, 1), (1, 1), (2, 2), (1, 2)))
    padding = r.choice(("SAME", "SAME", "VALID"))
    sizes = [
        output_size(e, t, s, d, padding)
        for e, t, s, d in zip((height, width), taps, stride, dilation, strict=True)
    ]
    if 0 in sizes:
        padding, sizes = "SAME", [-(-height // stride[0]), -(-width // stride[1])]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, height, width, inputs), "int8", scale=_INPUT_SCALE, zero_point=r.zero_point())
        weights, bias, scale = _weights(r, graph, (channels, *taps, inputs), 0)
        y, activation = _output(r, graph, (1, *sizes, channels), scale)
        graph.op(
            "CONV_2D", [x, weights, bias], [y], padding=padding, activation=activation,
            stride_h=stride[0], stride_w=stride[1],
            dilation_h_factor=dilation[0], dilation_w_factor=dilation[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"conv #{seed}", r, build)


def conv_s16_case(seed: int) -> Case:
    """int16 activations: both types of bias and none, odd numbers of taps and channels, one image or two."""
    r = Random(seed, 184)
    batches, height, width = r.choice((1, 1, 2)), r.integer(1, 9), r.integer(1, 9)
    inputs, channels = r.choice((1, 2, 3, 5, 8, 16, 20)), r.choice((1, 2, 3, 4, 7, 10))
    taps = r.choice(((1, 1), (3, 3), (1, 5), (2, 3), (4, 1)))
    stride, dilation = r.choice(((1, 1), (2, 2), (1, 3))), r.choice(((1, 1), (1, 1), (2, 1), (1, 2)))
    sizes = [-(-height // stride[0]), -(-width // stride[1])]
    bias_type = r.choice(("int64", "int64", "int32", ""))

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((batches, height, width, inputs), "int16", scale=0.001, zero_point=0)
        values = r.rng.integers(-127, 128, (channels, *taps, inputs)).astype(np.int8)
        scales = [r.scale(0.004, 0.02) for _ in range(channels if r.chance(0.8) else 1)]
        operands = [x, graph.constant(values, scale=scales, zero_point=[0] * len(scales), axis=0)]
        if bias_type:
            operands.append(graph.constant(r.rng.integers(-100000, 100000, channels).astype(bias_type)))
        typical = float(np.mean(scales)) * 0.001 * 73 * np.sqrt(inputs * taps[0] * taps[1])
        y = graph.tensor(
            (batches, *sizes, channels), "int16", scale=typical * r.choice((0.3, 1.0, 4.0)), zero_point=0
        )
        graph.op(
            "CONV_2D", operands, [y], padding="SAME", activation=r.choice(("NONE", "RELU", "RELU6")),
            stride_h=stride[0], stride_w=stride[1],
            dilation_h_factor=dilation[0], dilation_w_factor=dilation[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"conv int16 {taps} #{seed}", r, build)


def depthwise_case(seed: int) -> Case:
    """3x3, stride 1 and 2, all widths around the kernels' groups of outputs, tails of channels."""
    r = Random(seed, 178)
    height, width, stride = r.integer(1, 14), r.integer(1, 14), r.choice((1, 1, 2))
    channels = r.choice((1, 3, 7, 8, 9, 15, 16, 17, 33))
    padding = r.choice(("SAME", "SAME", "VALID"))
    sizes = [output_size(extent, 3, stride, 1, padding) for extent in (height, width)]
    if 0 in sizes:
        padding, sizes = "SAME", [-(-height // stride), -(-width // stride)]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, height, width, channels), "int8", scale=_INPUT_SCALE, zero_point=r.zero_point())
        weights, bias, scale = _weights(r, graph, (1, 3, 3, channels), 3)
        y, activation = _output(r, graph, (1, *sizes, channels), scale)
        graph.op(
            "DEPTHWISE_CONV_2D", [x, weights, bias], [y], padding=padding, activation=activation,
            stride_h=stride, stride_w=stride, depth_multiplier=1,
        )  # fmt: skip
        return [x], [y]

    return case(f"depthwise #{seed}", r, build)


def any_depthwise_case(seed: int) -> Case:
    """Any filter, stride, dilation and multiplier, one image or two, any number of channels."""
    r = Random(seed, 181)
    batches, height, width = r.choice((1, 1, 1, 2)), r.integer(1, 20), r.integer(1, 20)
    channels, multiplier = r.choice((1, 2, 3, 4, 5, 8, 12, 17)), r.choice((1, 1, 1, 2, 3, 4, 8))
    taps = r.choice(
        ((1, 1), (3, 1), (1, 3), (10, 1), (1, 5), (2, 4), (3, 3), (5, 5), (7, 7), (1, 19), (18, 2))
    )
    stride = r.choice(((1, 1), (1, 1), (2, 2), (1, 2), (3, 1), (4, 3)))
    dilation = r.choice(((1, 1), (1, 1), (1, 1), (2, 2), (1, 3)))
    padding = r.choice(("SAME", "SAME", "VALID"))
    sizes = [
        output_size(e, t, s, d, padding)
        for e, t, s, d in zip((height, width), taps, stride, dilation, strict=True)
    ]
    if 0 in sizes:
        padding, sizes = "SAME", [-(-height // stride[0]), -(-width // stride[1])]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (batches, height, width, channels)
        x = graph.input(shape, "int8", scale=_INPUT_SCALE, zero_point=r.zero_point())
        weights, bias, scale = _weights(r, graph, (1, *taps, channels * multiplier), 3)
        y, activation = _output(r, graph, (batches, *sizes, channels * multiplier), scale)
        graph.op(
            "DEPTHWISE_CONV_2D", [x, weights, bias], [y], padding=padding, activation=activation,
            stride_h=stride[0], stride_w=stride[1], depth_multiplier=multiplier,
            dilation_h_factor=dilation[0], dilation_w_factor=dilation[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"depthwise {taps} #{seed}", r, build)


def grouped_case(seed: int) -> Case:
    """A CONV_2D of several groups, with one input channel in each or more."""
    r = Random(seed, 182)
    groups, depth, filters = r.choice((2, 3, 4)), r.choice((1, 1, 2, 3, 4, 8)), r.choice((1, 2, 3, 4))
    height, width = r.integer(1, 9), r.integer(1, 9)
    taps, stride = r.choice(((1, 1), (3, 3), (1, 5), (2, 2))), r.choice((1, 1, 2))
    sizes = [-(-height // stride), -(-width // stride)]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (r.choice((1, 1, 1, 2)), height, width, groups * depth)
        x = graph.input(shape, "int8", scale=_INPUT_SCALE, zero_point=r.zero_point())
        weights, bias, scale = _weights(r, graph, (groups * filters, *taps, depth), 0)
        y, activation = _output(r, graph, (shape[0], *sizes, groups * filters), scale)
        graph.op(
            "CONV_2D", [x, weights, bias], [y], padding="SAME", activation=activation,
            stride_h=stride, stride_w=stride, dilation_h_factor=1, dilation_w_factor=1,
        )  # fmt: skip
        return [x], [y]

    return case(f"grouped #{seed}", r, build)


def transpose_conv_case(seed: int) -> Case:
    """Filters smaller and larger than the stride, SAME and VALID, one image or two."""
    r = Random(seed, 183)
    depth, channels = r.choice((1, 2, 4, 9, 16)), r.choice((1, 2, 3, 4, 8))
    height, width = r.integer(1, 6), r.integer(1, 6)
    stride, taps = (r.integer(1, 3), r.integer(1, 3)), (r.integer(1, 5), r.integer(1, 5))
    padding = r.choice(("SAME", "VALID"))
    extents = list(zip((height, width), stride, taps, strict=True))
    sizes = [e * s if padding == "SAME" else (e - 1) * s + t for e, s, t in extents]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        batches = r.choice((1, 1, 1, 2))
        shape = (batches, height, width, depth)
        x = graph.input(shape, "int8", scale=_INPUT_SCALE, zero_point=r.zero_point())
        weights, bias, scale = _weights(r, graph, (channels, *taps, depth), 0)
        y, activation = _output(r, graph, (batches, *sizes, channels), scale)
        size = graph.constant(np.array((batches, *sizes, channels), np.int32))
        graph.op(
            "TRANSPOSE_CONV", [size, weights, x, bias], [y], padding=padding, activation=activation,
            stride_h=stride[0], stride_w=stride[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"transpose conv {taps} by {stride} #{seed}", r, build)


def fully_connected_case(seed: int) -> Case:
    """One or more rows, tails of depth and channels."""
    r = Random(seed, 179)
    rows, depth = r.choice((1, 1, 3)), r.integer(1, 70)
    channels = r.integer(1, 37)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((rows, depth), "int8", scale=_INPUT_SCALE, zero_point=r.zero_point())
        weights, bias, scale = _weights(r, graph, (channels, depth), 0)
        y, activation = _output(r, graph, (rows, channels), scale)
        graph.op("FULLY_CONNECTED", [x, weights, bias], [y], activation=activation)
        return [x], [y]

    return case(f"fully connected #{seed}", r, build)


def add_case(seed: int) -> Case:
    """Scales near to and far from each other, saturation, ADD and SUB, large enough for tables to pay."""
    r = Random(seed, 180)
    elements = 2048 + r.integer(0, 9)
    scales = [r.scale(0.01, 0.2), r.scale(0.01, 0.2)]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        inputs = [graph.input((1, elements), "int8", scale=s, zero_point=r.zero_point()) for s in scales]
        y, activation = _output(
            r, graph, (1, elements), float(np.float32(max(scales) * r.choice((0.6, 1.0, 2.0))))
        )
        graph.op(r.choice(("ADD", "ADD", "SUB")), inputs, [y], activation=activation)
        return inputs, [y]

    return case(f"add #{seed}", r, build)


def repeated_case(seed: int) -> Case:
    """ADD, SUB and MUL of int8 and int16 with axes along which either input, or each, is repeated."""
    r = Random(seed, 181)
    dtype = r.choice(("int8", "int16"))
    shape = tuple(r.choice((1, 2, 3, 4, 5, 7)) for _ in range(r.integer(0, 3)))
    shape = (*shape, r.choice((1, 2, 3, 4, 5, 7, 8, 31, 32, 33)))
    scales = [r.scale(0.01, 0.2), r.scale(0.01, 0.2)]
    small = [
        tuple(1 if r.chance(share) else n for n in shape)
        for share in r.choice(((0, 0.5), (0.5, 0), (0.3, 0.3)))
    ]
    whole = tuple(int(n) for n in np.broadcast_shapes(*small))
    zeros = [r.zero_point(dtype) for _ in range(3)]
    name = r.choice(("ADD", "SUB", "MUL"))
    largest = scales[0] * scales[1] * 60 if name == "MUL" else max(scales)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        inputs = [
            graph.input(one, dtype, scale=s, zero_point=z)
            for one, s, z in zip(small, scales, zeros[:2], strict=True)
        ]
        y = graph.tensor(
            whole, dtype, scale=float(np.float32(largest * r.choice((0.6, 1.0, 2.0)))), zero_point=zeros[2]
        )
        graph.op(name, inputs, [y], activation=r.choice(("NONE", "RELU")))
        return inputs, [y]

    return case(f"{name} repeated #{seed}", r, build)
