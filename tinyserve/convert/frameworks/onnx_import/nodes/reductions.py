# SPDX-License-Identifier: Apache-2.0
"""Reductions."""

from __future__ import annotations

import numpy as np

from tinyserve.convert.frameworks.onnx_import import arithmetic, movement, reduction
from tinyserve.convert.frameworks.onnx_import.arithmetic import unary
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value

_NAMES = {"ReduceMean": "MEAN", "ReduceSum": "SUM", "ReduceMax": "REDUCE_MAX", "ReduceMin": "REDUCE_MIN"}


@handles(*_NAMES)
def _reduce(ctx: Context, node: Node) -> Value:
    return _over(ctx, node, _NAMES[node.op], node.input(0))


def _over(ctx: Context, node: Node, name: str, x: Value) -> Value:
    axes = node.numbers("axes", 1)
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return x
        axes = list(range(x.rank))
    return reduction.reduce(ctx, name, x, axes, bool(node.attribute("keepdims", 1)))


@handles("ReduceLogSumExp")
def _log_sum_exp(ctx: Context, node: Node) -> Value:
    """log(sum(exp(x - max))) + max: exp itself overflows from 89 on."""
    x = node.input(0)
    axes = node.numbers("axes", 1) or (
        [] if node.attribute("noop_with_empty_axes", 0) else list(range(x.rank))
    )
    if not axes:
        return x
    largest = reduction.reduce(ctx, "REDUCE_MAX", x, axes, True)
    total = reduction.reduce(ctx, "SUM", unary(ctx, "EXP", arithmetic.subtract(ctx, x, largest)), axes, True)
    made = arithmetic.add(ctx, unary(ctx, "LOG", total), largest)
    return made if node.attribute("keepdims", 1) else movement.squeeze(ctx, made, axes)


@handles("GlobalLpPool")
def _global_norm(ctx: Context, node: Node) -> Value:
    """The p-norm of each channel, p 1 or 2."""
    x, p = node.input(0), node.attribute("p", 2)
    if p not in (1, 2):
        raise node.refusal(f"of p {p}", "use p 1 or 2")
    inner = unary(ctx, "ABS", x) if p == 1 else arithmetic.multiply(ctx, x, x)
    total = reduction.reduce(ctx, "SUM", inner, range(2, x.rank), True)
    return total if p == 1 else unary(ctx, "SQRT", total)


@handles("CumProd")
def _cumulative_product(ctx: Context, node: Node) -> Value:
    x, axis = node.input(0), int(node.constant(1, "an axis").reshape(-1)[0]) % node.input(0).rank
    parts = [movement.take(ctx, x, axis, i, 1) for i in range(x.shape[axis])]
    if node.attribute("reverse", 0):
        parts.reverse()
    if node.attribute("exclusive", 0):
        parts = [ctx.constant(np.ones(parts[0].shape, x.dtype)), *parts[:-1]]
    for i in range(1, len(parts)):
        parts[i] = arithmetic.multiply(ctx, parts[i - 1], parts[i])
    return movement.concatenate(ctx, parts[::-1] if node.attribute("reverse", 0) else parts, axis)


@handles("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum")
def _composite(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    if node.op in ("ReduceL2", "ReduceSumSquare"):
        x = arithmetic.multiply(ctx, x, x)
    elif node.op == "ReduceL1":
        x = unary(ctx, "ABS", x)
    total = _over(ctx, node, "SUM", x)
    after = {"ReduceL2": "SQRT", "ReduceLogSum": "LOG"}
    return unary(ctx, after[node.op], total) if node.op in after else total


@handles("ReduceProd")
def _product(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    axes = sorted(axis % x.rank for axis in node.numbers("axes", 1) or range(x.rank))
    for axis in axes:
        parts = [movement.take(ctx, x, axis, i, 1) for i in range(x.shape[axis])]
        x = parts[0]
        for part in parts[1:]:
            x = arithmetic.multiply(ctx, x, part)
    return x if node.attribute("keepdims", 1) else movement.squeeze(ctx, x, axes)
