# SPDX-License-Identifier: Apache-2.0
"""Reductions."""

from __future__ import annotations

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


@handles("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp")
def _composite(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    if node.op in ("ReduceL2", "ReduceSumSquare"):
        x = arithmetic.multiply(ctx, x, x)
    elif node.op in ("ReduceL1", "ReduceLogSumExp"):
        x = unary(ctx, "ABS" if node.op == "ReduceL1" else "EXP", x)
    total = _over(ctx, node, "SUM", x)
    after = {"ReduceL2": "SQRT", "ReduceLogSum": "LOG", "ReduceLogSumExp": "LOG"}
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
