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
    taken = np.take_along_axis(_numbers(x)[_corner(places.shape, x.shape, axis)],
                               np.where(places < 0, places + x.shape[axis], places), axis)  # fmt: skip
    return _picked(ctx, x, taken)


@handles("ScatterElements", "Scatter")
def _scatter_elements(ctx: Context, node: Node) -> Value:
    x, places, updates = node.input(0), node.constant(1, "places"), node.input(2)
    _check(node)
    axis = node.attribute("axis", 0) % x.rank
    order = _numbers(x)
    target = order[_corner(places.shape, x.shape, axis)]
    new = np.arange(places.size).reshape(places.shape) + order.size
    np.put_along_axis(target, np.where(places < 0, places + x.shape[axis], places), new, axis)
    return _written(ctx, x, updates, order)


@handles("ScatterND")
def _scatter_nd(ctx: Context, node: Node) -> Value:
    x, places, updates = node.input(0), node.constant(1, "places"), node.input(2)
    _check(node)
    order = _numbers(x)
    new = np.arange(int(np.prod(updates.shape))).reshape(updates.shape) + order.size
    order[tuple(np.moveaxis(places, -1, 0))] = new
    return _written(ctx, x, updates, order)


@handles("Trilu")
def _triangle(ctx: Context, node: Node) -> Value:
    x, upper = node.input(0), bool(node.attribute("upper", 1))
    k = int(node.constant(1, "a diagonal").reshape(-1)[0]) if node.optional(1) is not None else 0
    keep = np.ones(x.shape[-2:], bool)
    keep = np.triu(keep, k) if upper else np.tril(keep, k)
    return arithmetic.multiply(ctx, x, ctx.constant(keep.astype(x.dtype)))


def _check(node: Node) -> None:
    if node.attribute("reduction", "none") != "none":
        raise node.refusal("that adds to what is there")


def _corner(extents: tuple[int, ...], whole: tuple[int, ...], axis: int) -> tuple[slice, ...]:
    """Along the other axes only the first elements are meant."""
    return tuple(slice(0, whole[i] if i == axis else n) for i, n in enumerate(extents))


def _numbers(x: Value) -> Array:
    return np.arange(int(np.prod(x.shape))).reshape(x.shape)


def _picked(ctx: Context, x: Value, numbers: Array) -> Value:
    """The elements of ``x`` with these numbers, in their shape."""
    row = movement.reshape(ctx, x, (int(np.prod(x.shape)),))
    taken = movement.gather(ctx, row, ctx.constant(numbers.reshape(-1)), 0)
    return movement.reshape(ctx, taken, numbers.shape)


def _written(ctx: Context, x: Value, updates: Value, order: Array) -> Value:
    """``order``: per element its number in ``x``, or behind these in ``updates``."""
    rows = [movement.reshape(ctx, v, (int(np.prod(v.shape)),)) for v in (x, updates)]
    return _picked(ctx, movement.concatenate(ctx, rows, 0), order)
