# SPDX-License-Identifier: Apache-2.0
"""Elements that are taken from, or written to, places which are known when the model is converted: one
GATHER from a row of all elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import arithmetic, movement
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value

Array = npt.NDArray[Any]


@handles("GatherElements")
def _gather_elements(ctx: Context, node: Node) -> Value:
    x, places = node.input(0), node.constant(1, "places")
    axis = node.attribute("axis", 0) % x.rank
    taken = np.take_along_axis(numbers(x)[_corner(places.shape, x.shape, axis)],
                               np.where(places < 0, places + x.shape[axis], places), axis)  # fmt: skip
    return picked(ctx, x, taken)


@handles("ScatterElements", "Scatter")
def _scatter_elements(ctx: Context, node: Node) -> Value:
    x, places, updates = node.input(0), node.constant(1, "places"), node.input(2)
    axis = node.attribute("axis", 0) % x.rank
    inside = numbers(x)[_corner(places.shape, x.shape, axis)]
    target = np.take_along_axis(inside, np.where(places < 0, places + x.shape[axis], places), axis)
    return _scattered(ctx, node, x, updates, target)


@handles("ScatterND")
def _scatter_nd(ctx: Context, node: Node) -> Value:
    x, places, updates = node.input(0), node.constant(1, "places"), node.input(2)
    return _scattered(ctx, node, x, updates, numbers(x)[tuple(np.moveaxis(places, -1, 0))])


@handles("Trilu")
def _triangle(ctx: Context, node: Node) -> Value:
    x, upper = node.input(0), bool(node.attribute("upper", 1))
    k = int(node.constant(1, "a diagonal").reshape(-1)[0]) if node.optional(1) is not None else 0
    keep = np.ones(x.shape[-2:], bool)
    keep = np.triu(keep, k) if upper else np.tril(keep, k)
    return arithmetic.multiply(ctx, x, ctx.constant(keep.astype(x.dtype)))


_MOST_TURNS = 64
_COMBINED = {"add": "ADD", "mul": "MUL", "max": "MAXIMUM", "min": "MINIMUM"}


def _scattered(ctx: Context, node: Node, x: Value, updates: Value, target: Array) -> Value:
    """``target``: of each update the number of the element that it goes to. Of several that go to one the
    last is kept, or they are combined with it in turns: each turn has one of them for each element."""
    how = node.attribute("reduction", "none")
    size, found = int(np.prod(x.shape)), target.reshape(-1)
    if how == "none":
        order = np.arange(size)
        order[found] = np.arange(found.size) + size
        return _written(ctx, x, updates, order.reshape(x.shape))
    turn_of = np.zeros(found.size, np.int64)
    counts = np.zeros(size, np.int64)
    for number, place in enumerate(found):
        turn_of[number] = counts[place]
        counts[place] += 1
    if counts.max(initial=0) > _MOST_TURNS:
        raise node.refusal(f"of {counts.max()} values on one element (of at most {_MOST_TURNS})")
    for turn in range(int(counts.max(initial=0))):
        x = _combined(ctx, _COMBINED[how], x, updates, np.where(turn_of == turn, found, -1))
    return x


def _combined(ctx: Context, name: str, x: Value, updates: Value, found: Array) -> Value:
    """One turn; ``found``: the element of each update, -1 for those that are not in it."""
    size, count = int(np.prod(x.shape)), found.size
    flat = [movement.reshape(ctx, updates, (count,))]
    if name in ("ADD", "MUL"):
        flat.append(ctx.constant(np.array([1 if name == "MUL" else 0], x.dtype)))
        order = np.full(size, count)
    else:
        flat.append(movement.reshape(ctx, x, (size,)))
        order = np.arange(size) + count
    taken = np.flatnonzero(found >= 0)
    order[found[taken]] = taken
    return arithmetic.binary(
        ctx, name, x, picked(ctx, movement.concatenate(ctx, flat, 0), order.reshape(x.shape))
    )


def _corner(extents: tuple[int, ...], whole: tuple[int, ...], axis: int) -> tuple[slice, ...]:
    """Along the other axes only the first elements are meant."""
    return tuple(slice(0, whole[i] if i == axis else n) for i, n in enumerate(extents))


def numbers(x: Value) -> Array:
    return np.arange(int(np.prod(x.shape))).reshape(x.shape)


def picked(ctx: Context, x: Value, order: Array) -> Value:
    """The elements of ``x`` with these numbers, in their shape."""
    row = movement.reshape(ctx, x, (int(np.prod(x.shape)),))
    taken = movement.gather(ctx, row, ctx.constant(order.reshape(-1)), 0)
    return movement.reshape(ctx, taken, order.shape)


def _written(ctx: Context, x: Value, updates: Value, order: Array) -> Value:
    """``order``: per element its number in ``x``, or behind these in ``updates``."""
    rows = [movement.reshape(ctx, v, (int(np.prod(v.shape)),)) for v in (x, updates)]
    return picked(ctx, movement.concatenate(ctx, rows, 0), order)
