# SPDX-License-Identifier: Apache-2.0
"""Pools: what padding counts is what ONNX says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import arithmetic, movement, reduction, windows
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.nodes.convolution import window_of
from tinyserve.convert.frameworks.onnx_import.values import Value
from tinyserve.convert.frameworks.onnx_import.windows import SAME, VALID, Window

Array = npt.NDArray[Any]


@handles("GlobalAveragePool", "GlobalMaxPool")
def _global(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    name = "MEAN" if node.op == "GlobalAveragePool" else "REDUCE_MAX"
    result = reduction.reduce(ctx, name, x, range(2, x.rank), True)
    result.spatial = True
    return result


@handles("MaxPool")
def _max_pool(ctx: Context, node: Node) -> Value:
    if len(node.shapes) > 1:
        raise node.refusal("with indices")
    return _pooled(ctx, node, _largest)


@handles("AveragePool")
def _average_pool(ctx: Context, node: Node) -> Value:
    return _pooled(ctx, node, _average)


def _pooled(ctx: Context, node: Node, how: Any) -> Value:
    x = node.input(0)
    kernel = node.attribute("kernel_shape")
    window = _ending(window_of(node, x, kernel), x.shape[2:], node.shapes[0][2:])
    if x.rank == 5:
        return _volume(ctx, node, x, window, how)
    made = how(ctx, node, windows.as_image(ctx, x), windows.two_axes(window))
    return windows.as_before(ctx, made, x.rank)


def _volume(ctx: Context, node: Node, x: Value, window: Window, how: Any) -> Value:
    """Height and width of each slice, then depth."""
    n, c, depth = x.shape[:3]
    slices = movement.reshape(ctx, movement.transpose(ctx, x, (0, 2, 1, 3, 4)), (n * depth, c, *x.shape[3:]))
    flat = how(ctx, node, slices, window.axes(1, 3))
    height, width = flat.shape[2:]
    volume = movement.transpose(
        ctx, movement.reshape(ctx, flat, (n, depth, c, height, width)), (0, 2, 1, 3, 4)
    )
    column, one = window.axes(0, 1), Window((1,), (1,), (1,), (0,), (0,), (0,))
    column = Window(*(a + b for a, b in zip(column.parts(), one.parts(), strict=True)))
    tall = how(ctx, node, movement.reshape(ctx, volume, (n, c, depth, height * width)), column)
    result = movement.reshape(ctx, tall, (n, c, tall.shape[2], height, width))
    result.spatial = True
    return result


def _ending(window: Window, extents: Sequence[int], outputs: Sequence[int]) -> Window:
    """With what the last windows reach beyond (ceil_mode) as padding behind."""
    beyond = tuple(
        max((n - 1) * window.strides[axis] + window.reach(axis) - extents[axis] - window.before[axis]
            - window.after[axis], 0)
        for axis, n in enumerate(outputs)
    )  # fmt: skip
    after = tuple(a + b for a, b in zip(window.after, beyond, strict=True))
    return replace(window, after=after, beyond=beyond)


def _largest(ctx: Context, node: Node, x: Value, window: Window) -> Value:
    if any(d > 1 for d in window.dilations):
        return _largest_of_taps(ctx, x, window)
    if window.is_same(x.shape[2:]):
        return windows.pool(ctx, "MAX_POOL_2D", x, window, SAME)
    if not window.is_valid():
        x = _at_least(ctx, x, window)
        window = window.unpadded()
    return windows.pool(ctx, "MAX_POOL_2D", x, window, VALID)


def _at_least(ctx: Context, x: Value, window: Window) -> Value:
    """Padded with what changes no maximum: zeros below what is positive, else what the windows hold."""
    before, after = (0, 0, *window.before), (0, 0, *window.after)
    if x.nonnegative:
        return movement.pad(ctx, x, before, after)
    if all(2 * pad <= k for k, pad in zip(window.kernel * 2, (*window.before, *window.after), strict=True)):
        return movement.mirror(ctx, x, before, after, symmetric=True)
    for axis in (2, 3):
        first = [movement.take(ctx, x, axis, 0, 1)] * before[axis]
        last = [movement.take(ctx, x, axis, x.shape[axis] - 1, 1)] * after[axis]
        x = movement.concatenate(ctx, [*first, x, *last], axis)
    return x


def _largest_of_taps(ctx: Context, x: Value, window: Window) -> Value:
    """Axis by axis the largest of what the window's elements see. One that sees padding sees instead what
    another of the same window does, which changes no maximum."""
    outputs = window.outputs(x.shape[2:])
    for axis in (2, 3):
        k, extent = axis - 2, x.shape[axis]
        starts = np.arange(outputs[k]) * window.strides[k] - window.before[k]
        taps = starts[None] + np.arange(window.kernel[k])[:, None] * window.dilations[k]
        inside = (taps >= 0) & (taps < extent)
        seen = np.take_along_axis(taps, inside.argmax(0)[None], 0)
        parts = [movement.gather(ctx, x, ctx.constant(row), axis) for row in np.where(inside, taps, seen)]
        spatial = x.spatial
        x = reduce(lambda a, b: arithmetic.binary(ctx, "MAXIMUM", a, b), parts)
        x.spatial = spatial
    return x


def _average(ctx: Context, node: Node, x: Value, window: Window) -> Value:
    counted = bool(node.attribute("count_include_pad", 0))
    if any(d > 1 for d in window.dilations):
        raise node.refusal("with dilations")
    if window.is_valid():
        return windows.pool(ctx, "AVERAGE_POOL_2D", x, window, VALID)
    if not counted and window.is_same(x.shape[2:]):
        return windows.pool(ctx, "AVERAGE_POOL_2D", x, window, SAME)
    factors = _factors(x.shape[2:], window, counted)
    x = movement.pad(ctx, x, (0, 0, *window.before), (0, 0, *window.after))
    made = windows.pool(ctx, "AVERAGE_POOL_2D", x, window.unpadded(), VALID)
    if (factors == 1).all():
        return made
    return arithmetic.multiply(ctx, made, ctx.constant(factors[None, None].astype(np.float32)))


def _factors(extents: Sequence[int], window: Window, counted: bool) -> Array:
    """Elements of a window over those that count, per place."""
    per_axis = []
    for axis, extent in enumerate(extents):
        padded = (window.before[axis], window.after[axis] - window.beyond[axis]) if counted else (0, 0)
        starts = np.arange(window.outputs(extents)[axis]) * window.strides[axis] - window.before[axis]
        ends = np.minimum(starts + window.kernel[axis], extent + padded[1])
        per_axis.append(window.kernel[axis] / (ends - np.maximum(starts, -padded[0])))
    return np.asarray(np.multiply.outer(*per_axis))
