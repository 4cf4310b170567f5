# SPDX-License-Identifier: Apache-2.0
"""Convolutions of one, two and three dimensions, and transposed ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import arithmetic, movement, windows
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value, channels_last, permuted
from tinyserve.convert.frameworks.onnx_import.windows import Filters, Window

Array = npt.NDArray[Any]


def window_of(node: Node, x: Value, kernel: Sequence[int]) -> Window:
    """The node's attributes; ``auto_pad`` as numbers."""
    axes = len(kernel)
    strides = tuple(node.attribute("strides") or (1,) * axes)
    dilations = tuple(node.attribute("dilations") or (1,) * axes)
    pads = tuple(node.attribute("pads") or (0,) * (2 * axes))
    mode = node.attribute("auto_pad", "NOTSET")
    if mode == "VALID":
        pads = (0,) * (2 * axes)
    elif mode.startswith("SAME"):
        before, after = list[int](), list[int]()
        for n, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            less, more = total // 2, total - total // 2
            before.append(less if mode == "SAME_UPPER" else more)
            after.append(more if mode == "SAME_UPPER" else less)
        pads = (*before, *after)
    return Window(tuple(kernel), strides, dilations, pads[:axes], pads[axes:], (0,) * axes)


@handles("Conv")
def _conv(ctx: Context, node: Node) -> Value:
    x, weights = node.input(0), node.constant(1, "weights")
    bias = None if node.optional(2) is None else node.constant(2, "biases")
    groups = int(node.attribute("group", 1))
    window = window_of(node, x, weights.shape[2:])
    if x.rank == 5:
        return _three_dimensional(ctx, x, Filters(weights, bias, window, groups))
    if x.rank == 3:
        weights = weights[:, :, None]
    image = windows.as_image(ctx, x)
    made = windows.convolve(ctx, image, Filters(weights, bias, windows.two_axes(window), groups))
    return windows.as_before(ctx, made, x.rank)


def _three_dimensional(ctx: Context, x: Value, filters: Filters) -> Value:
    """Slices in depth side by side as channels, and one convolution over height and width."""
    weights, window, groups = filters.weights, filters.window, filters.groups
    n, channels, _, height, width = x.shape
    depth = window.outputs(x.shape[2:])[0]
    x = movement.pad(ctx, x, (0, 0, window.before[0], 0, 0), (0, 0, window.after[0], 0, 0))
    parts = [
        movement.take(ctx, x, 2, tap * window.dilations[0], depth, step=window.strides[0])
        for tap in range(window.kernel[0])
    ]
    split = [
        movement.reshape(ctx, part, (n, groups, channels // groups, depth, height, width)) for part in parts
    ]
    stacked = movement.concatenate(ctx, split, 2)
    images = movement.reshape(ctx, stacked, (n, channels * len(parts), depth, height, width))
    images = movement.transpose(ctx, images, (0, 2, 1, 3, 4))
    images = movement.reshape(ctx, images, (n * depth, channels * len(parts), height, width))
    flat = weights.transpose(0, 2, 1, 3, 4).reshape(len(weights), -1, *weights.shape[3:])
    made = windows.convolve(ctx, images, Filters(flat, filters.bias, window.axes(1, 3), groups))
    result = movement.reshape(ctx, made, (n, depth, *made.shape[1:]))
    result = movement.transpose(ctx, result, (0, 2, 1, 3, 4))
    result.spatial = True
    return result


@handles("ConvTranspose")
def _conv_transpose(ctx: Context, node: Node) -> Value:
    x, weights = node.input(0), node.constant(1, "weights")
    bias = None if node.optional(2) is None else node.constant(2, "biases")
    window = _transposed_window(node, x, weights)
    groups = int(node.attribute("group", 1))
    if x.rank == 5:
        raise node.refusal("in three dimensions")
    if x.rank == 3:
        weights = weights[:, :, None]
    image, plane = windows.as_image(ctx, x), windows.two_axes(window)
    shape = node.shapes[0] if x.rank == 4 else (*node.shapes[0][:2], 1, node.shapes[0][2])
    if groups > 1 or any(d > 1 for d in plane.dilations):
        made = _stuffed(ctx, image, Filters(weights, bias, plane, groups), shape)
    else:
        made = _transposed(ctx, image, Filters(weights, bias, plane), shape)
    return windows.as_before(ctx, made, x.rank)


def _transposed_window(node: Node, x: Value, weights: Array) -> Window:
    """``before`` and ``after`` are what is cut off; less than nothing behind is output padding."""
    kernel = weights.shape[2:]
    axes = len(kernel)
    strides = tuple(node.attribute("strides") or (1,) * axes)
    dilations = tuple(node.attribute("dilations") or (1,) * axes)
    extra = tuple(node.attribute("output_padding") or (0,) * axes)
    pads = tuple(node.attribute("pads") or (0,) * (2 * axes))
    mode = node.attribute("auto_pad", "NOTSET")
    before, after = list[int](), list[int]()
    for axis, (n, k) in enumerate(zip(x.shape[2:], kernel, strict=True)):
        whole = (n - 1) * strides[axis] + (k - 1) * dilations[axis] + 1
        total = whole + extra[axis] - node.shapes[0][2 + axis]
        if mode == "NOTSET" and node.attribute("output_shape") is None:
            begin = pads[axis]
        else:
            begin = total // 2 if mode == "SAME_UPPER" else total - total // 2
        before.append(begin)
        after.append(whole - begin - node.shapes[0][2 + axis])
    return Window(tuple(kernel), strides, dilations, tuple(before), tuple(after), (0,) * axes)


def _transposed(ctx: Context, x: Value, filters: Filters, shape: tuple[int, ...]) -> Value:
    """TFLite's operator gives all that the windows reach; the borders are cut off behind it."""
    weights, bias, window = filters.weights, filters.bias, filters.window
    form = channels_last(4)
    whole = (x.shape[0], weights.shape[1], *(
        (n - 1) * s + k for n, s, k in zip(x.shape[2:], window.strides, window.kernel, strict=True)
    ))  # fmt: skip
    beyond = any(after < 0 for after in window.after)  # where nothing but the bias is
    zeros = np.zeros(weights.shape[1], np.float32)
    inputs = [
        ctx.draft.constant(f"{ctx.scope}/shape", np.array(permuted(whole, form), np.int32)),
        ctx.draft.constant(
            f"{ctx.scope}/weights", np.ascontiguousarray(weights.transpose(1, 2, 3, 0), np.float32)
        ),
        ctx.tensor(x, form),
        ctx.draft.constant(f"{ctx.scope}/bias", zeros if bias is None or beyond else bias.astype(np.float32)),
    ]
    made = ctx.emit("TRANSPOSE_CONV", inputs, permuted(whole, form), padding=windows.VALID,
                    strideH=window.strides[0], strideW=window.strides[1])  # fmt: skip
    result = ctx.computed(made, whole, form)
    result = movement.pad(
        ctx, result, (0, 0, *(-b for b in window.before)), (0, 0, *(-a for a in window.after))
    )
    assert result.shape == shape, (result.shape, shape)
    if beyond and bias is not None:
        result = arithmetic.add(ctx, result, ctx.constant(bias.reshape(1, -1, 1, 1)))
    return result


def _stuffed(ctx: Context, x: Value, filters: Filters, shape: tuple[int, ...]) -> Value:
    """Zeros between the elements, and a plain convolution with the kernel turned around."""
    weights, window, groups = filters.weights, filters.window, filters.groups
    for axis, stride in enumerate(window.strides):
        x = _apart(ctx, x, 2 + axis, stride)
    channels, per_group = weights.shape[:2]
    turned = weights[:, :, ::-1, ::-1].reshape(groups, channels // groups, per_group, *weights.shape[2:])
    turned = turned.swapaxes(1, 2).reshape(groups * per_group, channels // groups, *weights.shape[2:])
    before = tuple(window.reach(axis) - 1 - window.before[axis] for axis in (0, 1))
    after = tuple(window.reach(axis) - 1 - window.after[axis] for axis in (0, 1))
    x = movement.pad(ctx, x, (0, 0, *before), (0, 0, *after))
    plain = Window(window.kernel, (1, 1), window.dilations, (0, 0), (0, 0), (0, 0))
    made = windows.convolve(ctx, x, Filters(np.ascontiguousarray(turned), filters.bias, plain, groups))
    assert made.shape == shape, (made.shape, shape)
    return made


def _apart(ctx: Context, x: Value, axis: int, stride: int) -> Value:
    """With stride - 1 zeros between neighbours along the axis."""
    if stride == 1:
        return x
    wide = movement.unsqueeze(ctx, x, [axis + 1])
    after = [stride - 1 if i == axis + 1 else 0 for i in range(wide.rank)]
    wide = movement.pad(ctx, wide, [0] * wide.rank, after)
    shape = list(x.shape)
    shape[axis] *= stride
    return movement.take(ctx, movement.reshape(ctx, wide, shape), axis, 0, shape[axis] - stride + 1)
