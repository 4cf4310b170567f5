# SPDX-License-Identifier: Apache-2.0
"""Operators that move or repeat elements."""

from __future__ import annotations

import numpy as np

from tinyserve.convert.frameworks.onnx_import import movement
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value, channels_last, permuted


@handles("Reshape", "Flatten")
def _reshape(ctx: Context, node: Node) -> Value:
    return movement.reshape(ctx, node.input(0), node.shapes[0])


@handles("Squeeze", "Unsqueeze")
def _squeeze(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    result = movement.reshape(ctx, x, node.shapes[0])
    result.spatial = result.spatial or (x.spatial and bool(result.forms))
    return result


@handles("Transpose")
def _transpose(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    return movement.transpose(ctx, x, node.attribute("perm") or list(range(x.rank))[::-1])


@handles("Concat")
def _concat(ctx: Context, node: Node) -> Value:
    return movement.concatenate(ctx, [v for v in node.inputs if v is not None], node.attribute("axis", 1))


@handles("Split")
def _split(ctx: Context, node: Node) -> list[Value]:
    x = node.input(0)
    axis = node.attribute("axis", 0) % x.rank
    parts, begin = list[Value](), 0
    for shape in node.shapes:
        parts.append(movement.take(ctx, x, axis, begin, shape[axis]))
        begin += shape[axis]
    return parts


@handles("Slice")
def _slice(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    starts, ends = node.numbers("starts", 1), node.numbers("ends", 2)
    assert starts is not None and ends is not None
    axes = node.numbers("axes", 3) or list(range(len(starts)))
    steps = node.numbers("steps", 4) or [1] * len(starts)
    begins, counts, strides = [0] * x.rank, list(x.shape), [1] * x.rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        taken = range(x.shape[axis])[slice(start, None if step < 0 and end < -x.shape[axis] else end, step)]
        begins[axis], counts[axis], strides[axis] = taken.start if len(taken) else 0, len(taken), step
    return movement.strided_slice(ctx, x, begins, counts, strides)


@handles("Pad")
def _pad(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    pads = node.numbers("pads", 1)
    assert pads is not None
    half = len(pads) // 2
    axes = node.numbers("axes", 3) or list(range(half))
    before, after = [0] * x.rank, [0] * x.rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[half + place]
    mode = node.attribute("mode", "constant")
    if mode == "constant":
        given = node.attribute("value", 0.0)
        if node.optional(2) is not None:
            given = node.constant(2, "padding values").reshape(-1)[0]
        return movement.pad(ctx, x, before, after, float(given))
    if mode == "reflect":
        return movement.mirror(ctx, x, before, after, symmetric=False)
    for axis in range(x.rank):
        x = _repeated(ctx, x, axis, before[axis], after[axis], wrap=mode == "wrap")
    return x


def _repeated(ctx: Context, x: Value, axis: int, before: int, after: int, *, wrap: bool) -> Value:
    """Padded along one axis with what lies at the other end (wrap), or at the border itself (edge)."""
    extent = x.shape[axis]
    spatial = x.spatial
    if wrap:
        front = movement.take(ctx, x, axis, extent - before, before) if before else None
        back = movement.take(ctx, x, axis, 0, after) if after else None
        parts = [part for part in (front, x, back) if part is not None]
    else:
        first = [movement.take(ctx, x, axis, 0, 1)] * before
        last = [movement.take(ctx, x, axis, extent - 1, 1)] * after
        parts = [*first, x, *last]
    result = movement.concatenate(ctx, parts, axis)
    result.spatial = spatial
    return result


@handles("Expand")
def _expand(ctx: Context, node: Node) -> Value:
    return movement.expand(ctx, node.input(0), node.shapes[0])


@handles("Tile")
def _tile(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    for axis, count in enumerate(node.constant(1, "repeats")):
        if count > 1 and x.shape[axis] == 1:
            shape = list(x.shape)
            shape[axis] = int(count)
            x = movement.expand(ctx, x, shape)
        elif count > 1:
            x = movement.concatenate(ctx, [x] * int(count), axis)
    return x


@handles("DepthToSpace", "SpaceToDepth")
def _depth_to_space(ctx: Context, node: Node) -> Value:
    x, block = node.input(0), int(node.attribute("blocksize"))
    n, c, h, w = x.shape
    if node.op == "SpaceToDepth":
        split = movement.reshape(ctx, x, (n, c, h // block, block, w // block, block))
        moved = movement.transpose(ctx, split, (0, 3, 5, 1, 2, 4))
        return _image(ctx, moved, node.shapes[0])
    if node.attribute("mode", "DCR") == "DCR":
        return _in_blocks(ctx, x, block, node.shapes[0])
    order = np.arange(c).reshape(c // block**2, block**2).T.reshape(-1)
    return _in_blocks(ctx, movement.gather(ctx, x, ctx.constant(order), 1), block, node.shapes[0])


def _in_blocks(ctx: Context, x: Value, block: int, shape: tuple[int, ...]) -> Value:
    """TFLite's own operator, whose channels are blocks first (DCR)."""
    form = channels_last(4)
    made = ctx.emit("DEPTH_TO_SPACE", [ctx.tensor(x, form)], permuted(shape, form), blockSize=block)
    result = ctx.computed(made, shape, form, like=x)
    result.spatial = True
    return result


def _image(ctx: Context, x: Value, shape: tuple[int, ...]) -> Value:
    """A reshape to an image, made channels last."""
    form = channels_last(4)
    result = movement.reshape(ctx, x, shape)
    made = ctx.computed(ctx.tensor(result, form), shape, form)
    made.spatial = True
    return made
