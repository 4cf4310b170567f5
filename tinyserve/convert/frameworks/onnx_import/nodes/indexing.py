# SPDX-License-Identifier: Apache-2.0
"""Operators that look up, or say where something is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import arithmetic, movement, reduction
from tinyserve.convert.frameworks.onnx_import.context import INT32, Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.nodes import scattering
from tinyserve.convert.frameworks.onnx_import.values import Value

Array = npt.NDArray[Any]


@handles("Gather")
def _gather(ctx: Context, node: Node) -> Value:
    x, indices = node.input(0), node.input(1)
    return movement.gather(ctx, x, indices, node.attribute("axis", 0) % x.rank)


@handles("ArgMax", "ArgMin")
def _arg(ctx: Context, node: Node) -> Value:
    x, axis = node.input(0), node.attribute("axis", 0) % node.input(0).rank
    keep, name = bool(node.attribute("keepdims", 1)), "ARG_MAX" if node.op == "ArgMax" else "ARG_MIN"
    if not node.attribute("select_last_index", 0):
        return reduction.arg(ctx, name, x, axis, keep)
    found = reduction.arg(ctx, name, movement.reverse(ctx, x, axis), axis, keep)
    return arithmetic.subtract(ctx, ctx.scalar(x.shape[axis] - 1, INT32), found)


@handles("TopK")
def _top(ctx: Context, node: Node) -> list[Value]:
    """Sorted always, which ONNX leaves open where it is not asked for."""
    x, count = node.input(0), node.attribute("k")
    if count is None:
        count = int(node.constant(1, "a number").reshape(-1)[0])
    smallest = not node.attribute("largest", 1)
    source = arithmetic.unary(ctx, "NEG", x) if smallest else x
    values, places = reduction.top(ctx, source, node.attribute("axis", -1), int(count))
    return [arithmetic.unary(ctx, "NEG", values) if smallest else values, places]


@handles("CumSum")
def _cumsum(ctx: Context, node: Node) -> Value:
    x, axis = node.input(0), int(node.constant(1, "an axis").reshape(-1)[0])
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    place = ctx.draft.constant(f"{ctx.scope}/axis", np.array(form.index(axis % x.rank), np.int32))
    made = ctx.emit(
        "CUMSUM",
        [x.forms[form], place],
        [x.shape[i] for i in form],
        x.dtype,
        exclusive=bool(node.attribute("exclusive", 0)),
        reverse=bool(node.attribute("reverse", 0)),
    )
    return ctx.computed(made, x.shape, form, like=x)


@handles("OneHot")
def _one_hot(ctx: Context, node: Node) -> Value:
    indices, depth = node.input(0), int(node.constant(1, "a depth").reshape(-1)[0])
    low, high = node.constant(2, "values")
    axis = node.attribute("axis", -1) % (indices.rank + 1)
    wide = movement.unsqueeze(ctx, indices, [axis])
    places = np.arange(depth, dtype=np.int32).reshape(
        [depth if i == axis else 1 for i in range(indices.rank + 1)]
    )
    whole = arithmetic.cast(ctx, wide, INT32)
    found = arithmetic.binary(ctx, "EQUAL", whole, ctx.constant(places))
    if not indices.nonnegative:  # which count from the end; what lies outside of both is off
        behind = arithmetic.binary(ctx, "EQUAL", whole, ctx.constant(places - depth))
        found = arithmetic.binary(ctx, "LOGICAL_OR", found, behind)
    mask = arithmetic.cast(ctx, found, node.input(2).dtype)
    if (low, high) == (0, 1):
        return mask
    scaled = arithmetic.multiply(ctx, mask, ctx.scalar(high - low, mask.dtype))
    return arithmetic.add(ctx, scaled, ctx.scalar(low, mask.dtype))


@handles("GatherND")
def _gather_nd(ctx: Context, node: Node) -> Value:
    """Known places: the axes that they name become one, along which rows are taken."""
    x, places = node.input(0), node.constant(1, "places")
    if batch := node.attribute("batch_dims", 0):
        return scattering.picked(ctx, x, _batched(scattering.numbers(x), places, batch))
    depth = places.shape[-1]
    extents = x.shape[:depth]
    positive = np.where(places < 0, places + np.array(extents), places)
    flat = np.ravel_multi_index(tuple(np.moveaxis(positive, -1, 0)), extents)
    rows = movement.reshape(ctx, x, (int(np.prod(extents)), *x.shape[depth:]))
    return movement.reshape(ctx, movement.gather(ctx, rows, ctx.constant(flat), 0), node.shapes[0])


def _batched(x: Array, places: Array, batch: int) -> Array:
    """GatherND over each pair of ``batch`` leading axes."""
    outer = x.shape[:batch]
    rows = [
        one[tuple(np.moveaxis(where, -1, 0))]
        for one, where in zip(
            x.reshape(-1, *x.shape[batch:]), places.reshape(-1, *places.shape[batch:]), strict=True
        )
    ]
    return np.stack(rows).reshape(*outer, *rows[0].shape)


@handles("Hardmax")
def _hardmax(ctx: Context, node: Node) -> Value:
    """1 at the first of the largest, along one axis; before opset 13 along all from this one on."""
    x = node.input(0)
    old = node.opset < 13
    axis = node.attribute("axis", 1 if old else -1) % x.rank
    if old:
        x = movement.reshape(ctx, x, (int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))))
        axis = 1
    places = np.arange(x.shape[axis], dtype=np.int32).reshape([-1 if i == axis else 1 for i in range(x.rank)])
    first = reduction.arg(ctx, "ARG_MAX", x, axis, True)
    mask = arithmetic.cast(ctx, arithmetic.binary(ctx, "EQUAL", first, ctx.constant(places)), x.dtype)
    return movement.reshape(ctx, mask, node.input(0).shape)


@handles("Compress")
def _compress(ctx: Context, node: Node) -> Value:
    x, kept = node.input(0), np.flatnonzero(node.constant(1, "a condition"))
    axis = node.attribute("axis")
    if axis is None:
        return scattering.picked(ctx, x, np.arange(int(np.prod(x.shape)))[kept])
    return movement.gather(ctx, x, ctx.constant(kept.astype(np.int32)), axis % x.rank)


@handles("ReverseSequence")
def _reverse_sequence(ctx: Context, node: Node) -> Value:
    """The first elements of each row the other way around, as many as are known."""
    x, lengths = node.input(0), node.constant(1, "lengths")
    time, batch = node.attribute("time_axis", 0), node.attribute("batch_axis", 1)
    order = np.moveaxis(scattering.numbers(x), (batch, time), (0, 1)).copy()
    for row, length in zip(order, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    return scattering.picked(ctx, x, np.moveaxis(order, (0, 1), (batch, time)))
