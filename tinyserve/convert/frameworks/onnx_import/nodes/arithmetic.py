# SPDX-License-Identifier: Apache-2.0
"""Elementwise arithmetic, comparisons, logic and casts."""

from __future__ import annotations

import importlib
from functools import reduce

import numpy as np

from tinyserve.convert.frameworks.onnx_import import arithmetic, linear, masks
from tinyserve.convert.frameworks.onnx_import.context import BOOL, FLOAT, INT32, Context
from tinyserve.convert.frameworks.onnx_import.draft import narrow_type
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.nodes import functions
from tinyserve.convert.frameworks.onnx_import.values import Value

_BINARY = {
    "Div": "DIV", "Max": "MAXIMUM", "Min": "MINIMUM", "Equal": "EQUAL", "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL", "Less": "LESS", "LessOrEqual": "LESS_EQUAL", "And": "LOGICAL_AND",
    "Or": "LOGICAL_OR",
}  # fmt: skip
_UNARY = {
    "Abs": "ABS", "Neg": "NEG", "Exp": "EXP", "Log": "LOG", "Sqrt": "SQRT", "Sin": "SIN", "Cos": "COS",
    "Floor": "FLOOR", "Ceil": "CEIL", "Round": "ROUND", "Not": "LOGICAL_NOT",
}  # fmt: skip


@handles(*_UNARY)
def _unary(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    if x.dtype == INT32 and node.op in ("Abs", "Neg"):
        return _integer(ctx, node.op, x)
    return arithmetic.unary(ctx, _UNARY[node.op], x)


def _integer(ctx: Context, op: str, x: Value) -> Value:
    negative = arithmetic.subtract(ctx, ctx.scalar(0, INT32), x)
    return negative if op == "Neg" else arithmetic.binary(ctx, "MAXIMUM", x, negative)


@handles("Div", "Max", "Min", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or")
def _binary(ctx: Context, node: Node) -> Value:
    values = [value for value in node.inputs if value is not None]
    if node.op == "Div" and values[1].data is not None and values[0].dtype == FLOAT:
        return _scaled(ctx, node, values[0], ctx.constant(1.0 / values[1].data.astype(np.float64)))
    if node.op == "Div" and values[0].dtype == INT32:
        return _truncated_quotient(ctx, *values)
    if node.op == "Div" and int(np.prod(values[1].shape)) < int(np.prod(node.shapes[0])):
        inverse = arithmetic.divide(ctx, ctx.scalar(1), values[1])  # few, and a table in int8
        return arithmetic.multiply(ctx, values[0], inverse)
    return reduce(lambda a, b: arithmetic.binary(ctx, _BINARY[node.op], a, b), values)


def _truncated_quotient(ctx: Context, a: Value, b: Value) -> Value:
    """ONNX cuts quotients of integers toward zero, FLOOR_DIV rounds them down."""
    if a.nonnegative and b.data is not None and (b.data > 0).all():
        return arithmetic.binary(ctx, "FLOOR_DIV", a, b)
    sizes = [_integer(ctx, "Abs", value) for value in (a, b)]
    size = arithmetic.binary(ctx, "FLOOR_DIV", *sizes)
    return reduce(lambda x, v: arithmetic.multiply(ctx, x, functions.sign(ctx, v)), (a, b), size)


@handles("Add", "Sum")
def _add(ctx: Context, node: Node) -> Value:
    values = [value for value in node.inputs if value is not None]
    if len(values) == 2:
        for index, (x, shift) in enumerate((values, values[::-1])):
            if node.alone[index] and _absorbed(ctx, x, shift, None, shift):
                return x
    return reduce(lambda a, b: arithmetic.add(ctx, a, b), values)


@handles("Sub")
def _sub(ctx: Context, node: Node) -> Value:
    a, b = node.input(0), node.input(1)
    if b.data is not None and a.dtype == FLOAT and node.alone[0]:
        negative = ctx.constant(-b.data)
        if _absorbed(ctx, a, negative, None, negative):
            return a
    return arithmetic.subtract(ctx, a, b)


@handles("Mul")
def _mul(ctx: Context, node: Node) -> Value:
    a, b = node.input(0), node.input(1)
    return _scaled(ctx, node, b, a) if a.data is not None else _scaled(ctx, node, a, b)


def _scaled(ctx: Context, node: Node, x: Value, factor: Value) -> Value:
    if (
        factor.data is not None
        and all(node.alone[: len(node.inputs)])
        and _absorbed(ctx, x, factor, factor, None)
    ):
        return x
    return arithmetic.multiply(ctx, x, factor)


def _absorbed(ctx: Context, x: Value, constant: Value, scale: Value | None, shift: Value | None) -> bool:
    """Whether the number per channel went into the weights before."""
    if constant.data is None or x.data is not None or x.dtype != FLOAT or not x.forms:
        return False
    axis = x.natural[-1] if x.rank else 0
    shape = (1,) * (x.rank - constant.rank) + constant.shape
    if len(shape) != x.rank or any(n != 1 for i, n in enumerate(shape) if i != axis):
        return False
    parts = [None if part is None or part.data is None else part.data.reshape(-1) for part in (scale, shift)]
    done = linear.absorb(ctx, x, parts[0], parts[1], axis)
    x.nonnegative = x.nonnegative and not done
    return done


@handles("Pow")
def _pow(ctx: Context, node: Node) -> Value:
    x, exponent = node.input(0), node.input(1)
    if exponent.data is None or np.unique(exponent.data).size != 1 or x.data is not None:
        return arithmetic.binary(ctx, "POW", x, arithmetic.cast(ctx, exponent, x.dtype))
    power = float(exponent.data.reshape(-1)[0])
    simple = {0.5: "SQRT", 2.0: "SQUARE", -0.5: "RSQRT"}
    if power in simple:
        return arithmetic.unary(ctx, simple[power], x)
    if power == int(power) and 1 <= abs(power) <= 8:
        product = reduce(lambda a, _: arithmetic.multiply(ctx, a, x), range(int(abs(power)) - 1), x)
        return product if power > 0 else arithmetic.divide(ctx, ctx.scalar(1), product)
    return arithmetic.binary(ctx, "POW", x, ctx.scalar(power, x.dtype))


@handles("Reciprocal")
def _reciprocal(ctx: Context, node: Node) -> Value:
    return arithmetic.divide(ctx, ctx.scalar(1), node.input(0))


@handles("Mod")
def _mod(ctx: Context, node: Node) -> Value:
    a, b = node.input(0), node.input(1)
    if not node.attribute("fmod", 0):
        return arithmetic.binary(ctx, "FLOOR_MOD", a, b)
    if a.dtype != INT32:
        raise node.refusal("of floats (fmod)")
    whole = arithmetic.multiply(ctx, _truncated_quotient(ctx, a, b), b)
    return arithmetic.subtract(ctx, a, whole)


@handles("IsNaN")
def _is_nan(ctx: Context, node: Node) -> Value:
    """What differs from itself. Exporters ask it of each attention's shares, which are NaN where a mask left
    nothing to attend to: here these masks are numbers, and such rows are known by their largest score."""
    x = node.input(0)
    scores = masks.scores_of(ctx, x)
    if scores is None:
        return arithmetic.binary(ctx, "NOT_EQUAL", x, x)
    tensor, form = scores
    if not masks.can_hide_all(ctx, tensor):
        return ctx.constant(np.zeros(x.shape, bool))
    return masks.hides_all(ctx, tensor, form, x.shape)


@handles("Xor")
def _xor(ctx: Context, node: Node) -> Value:
    return arithmetic.binary(ctx, "NOT_EQUAL", node.input(0), node.input(1))


@handles("Mean")
def _mean(ctx: Context, node: Node) -> Value:
    values = [value for value in node.inputs if value is not None]
    total = reduce(lambda a, b: arithmetic.add(ctx, a, b), values)
    return arithmetic.multiply(ctx, total, ctx.scalar(1 / len(values)))


@handles("Where")
def _where(ctx: Context, node: Node) -> Value:
    return arithmetic.select(ctx, node.input(0), node.input(1), node.input(2))


@handles("Cast")
def _cast(ctx: Context, node: Node) -> Value:
    onnx = importlib.import_module("onnx")
    wanted = onnx.helper.tensor_dtype_to_np_dtype(node.attribute("to"))
    dtype = narrow_type(np.dtype(wanted))
    x = node.input(0)
    if dtype == BOOL:
        return arithmetic.binary(ctx, "NOT_EQUAL", x, ctx.scalar(0, x.dtype))
    return arithmetic.cast(ctx, x, dtype)


@handles("CastLike")
def _cast_like(ctx: Context, node: Node) -> Value:
    return arithmetic.cast(ctx, node.input(0), node.input(1).dtype)


@handles("Identity")
def _identity(ctx: Context, node: Node) -> Value:
    return node.input(0)


@handles("Dropout")
def _dropout(ctx: Context, node: Node) -> Value:
    """Nothing in inference."""
    ratio, training = node.optional(1), node.optional(2)
    drops = ratio is None or ratio.data is None or bool(ratio.data.any())
    if training is not None and drops and (training.data is None or training.data.any()):
        raise node.refusal(
            "in training mode", "call model.eval() before torch.export.export (torch.onnx.export)"
        )
    return node.input(0)
