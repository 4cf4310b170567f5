# SPDX-License-Identifier: Apache-2.0
"""Layers with weights, and windows over images: convolutions, dense layers, pools, resizing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.compiler.ops.generate import ACTIVATIONS
from tests.compiler.ops.linear.test_conv_2d import output_size
from tests.support.flatbuffer_builder import TensorRef
from tests.support.graphs.grower import QUANTIZED, Grower, SkipLayer


def _weights(
    g: Grower, x: TensorRef, y_scale: float, shape: tuple[int, ...], axis: int
) -> list[TensorRef | None]:
    """Weights and bias such that outputs spread over their range; some channels are dead or unread."""
    channels = shape[axis]
    fan_in = max(1, int(np.prod(shape)) // channels)
    values = g.r.rng.integers(-127, 128, shape).astype(np.int8)
    if g.least:
        values[values < -100] = -128
    if g.r.chance(0.5):
        along: Any = [slice(None)] * len(shape)
        along[axis] = g.r.rng.random(channels) < 0.4
        values[tuple(along)] = 0
    if axis == 0 and g.r.chance(0.3):
        values[..., g.r.rng.random(shape[-1]) < 0.3] = 0
    count = channels if axis or g.r.chance(0.7) else 1  # TFLM wants one scale per channel of a depthwise one
    typical = y_scale / (g.scale(x) * 60 * np.sqrt(fan_in))
    scales = (g.r.rng.uniform(0.3, 1.5, count) * typical).astype(np.float32)
    weights = g.graph.constant(values, scale=scales, axis=axis)
    if g.r.chance(0.2) and axis == 0:  # TFLM reads a depthwise convolution's bias even where there is none
        return [weights, None]
    kind = np.int64 if x.dtype == "int16" else np.int32
    bias = (g.r.rng.normal(size=channels) * 4000).astype(kind)
    return [weights, g.graph.constant(bias, scale=scales * np.float32(g.scale(x)))]


def _window(g: Grower, x: TensorRef, most_taps: int = 3) -> tuple[dict[str, Any], list[int], list[int]]:
    """Options of a window that fits, its taps and the output's height and width."""
    taps = [g.r.integer(1, most_taps), g.r.integer(1, most_taps)]
    stride = [g.r.integer(1, 2), g.r.integer(1, 2)]
    padding = g.r.choice(("SAME", "VALID"))
    size = [output_size(x.shape[1 + i], taps[i], stride[i], 1, padding) for i in range(2)]
    if 0 in size:
        padding, size = "SAME", [-(-x.shape[1 + i] // stride[i]) for i in range(2)]
    return {"padding": padding, "stride_h": stride[0], "stride_w": stride[1]}, taps, size


def _conv(g: Grower) -> None:
    x = g.pick(*QUANTIZED, low=4)
    options, taps, size = _window(g, x)
    channels = g.r.integer(2, 8)
    y = g.tensor((x.shape[0], *size, channels), x.dtype)
    operands = _weights(g, x, g.scale(y), (channels, *taps, x.shape[3]), 0)
    g.add("CONV_2D", [x, *operands], y, activation=g.r.choice(ACTIVATIONS), **options)


def _depthwise(g: Grower) -> None:
    x = g.pick(*QUANTIZED, low=4)
    options, taps, size = _window(g, x)
    multiplier = g.r.choice((1, 1, 2))
    channels = x.shape[3] * multiplier
    y = g.tensor((x.shape[0], *size, channels), x.dtype)
    operands = _weights(g, x, g.scale(y), (1, *taps, channels), 3)
    g.add(
        "DEPTHWISE_CONV_2D", [x, *operands], y, activation=g.r.choice(ACTIVATIONS),
        depth_multiplier=multiplier, **options,
    )  # fmt: skip


def _transpose_conv(g: Grower) -> None:
    x = g.pick("int8", low=4, fits=lambda ref: int(np.prod(ref.shape)) < 300)
    batches, height, width, depth = x.shape
    channels, stride, taps = g.r.integer(1, 4), g.r.integer(1, 2), g.r.integer(1, 3)
    shape = (batches, (height - 1) * stride + taps, (width - 1) * stride + taps, channels)
    y = g.tensor(shape, x.dtype)
    weights, bias = _weights(g, x, g.scale(y), (channels, taps, taps, depth), 0)
    operands = [g.integers(*shape), weights, x, *([] if bias is None else [bias])]
    g.add("TRANSPOSE_CONV", operands, y, padding="VALID", stride_h=stride, stride_w=stride)


def _fully_connected(g: Grower) -> None:
    x = g.pick(*QUANTIZED, low=2)
    depth, channels = int(np.prod(x.shape[1:])), g.r.integer(2, 8)
    if depth > 400:
        raise SkipLayer
    y = g.tensor((x.shape[0], channels), x.dtype)
    operands = _weights(g, x, g.scale(y), (channels, depth), 0)
    g.add("FULLY_CONNECTED", [x, *operands], y, activation=g.r.choice(ACTIVATIONS))


def _batch_matmul(g: Grower) -> None:
    """By a constant matrix, or x times its own transpose."""
    x = g.pick("int8", low=2)
    y_shape = [*x.shape[:-1], x.shape[-2]]
    if g.r.chance(0.5):
        y = g.tensor(y_shape, x.dtype)
        g.add("BATCH_MATMUL", [x, x], y, adj_x=False, adj_y=True)
        return
    columns = g.r.integer(1, 5)
    right = g.random_constant((*x.shape[:-2], x.shape[-1], columns), x.dtype, g.quantization(x.dtype))
    y = g.tensor([*x.shape[:-1], columns], x.dtype)
    g.add("BATCH_MATMUL", [x, right], y, adj_x=False, adj_y=False)


def _pool(name: str) -> Callable[[Grower], None]:
    def layer(g: Grower) -> None:
        x = g.pick(*QUANTIZED, low=4)
        options, taps, size = _window(g, x)
        y = g.like(x, (x.shape[0], *size, x.shape[3]))
        activation = g.r.choice(ACTIVATIONS)
        g.add(
            name, [x], y, filter_height=taps[0], filter_width=taps[1], activation=activation, **options
        )  # fmt: skip

    return layer


def _resize(name: str) -> Callable[[Grower], None]:
    def layer(g: Grower) -> None:
        x = g.pick("int8", low=4)
        size = g.r.shape(2, 1, 9)
        y = g.like(x, (x.shape[0], *size, x.shape[3]))
        g.add(name, [x, g.integers(*size)], y, half_pixel_centers=g.r.chance(0.5))

    return layer


LAYERS: dict[str, Callable[[Grower], None]] = {
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D"),
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _pool("MAX_POOL_2D"),
    "RESIZE_BILINEAR": _resize("RESIZE_BILINEAR"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("RESIZE_NEAREST_NEIGHBOR"),
    "TRANSPOSE_CONV": _transpose_conv,
}
