# SPDX-License-Identifier: Apache-2.0
"""Trigonometric and hyperbolic functions, by those that TFLite has: in int8 each becomes one table."""

from __future__ import annotations

import math

import numpy as np

from tinyserve.convert.frameworks.onnx_import import arithmetic
from tinyserve.convert.frameworks.onnx_import.arithmetic import add, divide, multiply, subtract, unary
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value


@handles("Tan")
def _tan(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    return divide(ctx, unary(ctx, "SIN", x), unary(ctx, "COS", x))


@handles("Sinh", "Cosh")
def _hyperbolic(ctx: Context, node: Node) -> Value:
    """(exp(x) -+ exp(-x)) / 2."""
    x = node.input(0)
    up, down = unary(ctx, "EXP", x), unary(ctx, "EXP", unary(ctx, "NEG", x))
    both = (subtract if node.op == "Sinh" else add)(ctx, up, down)
    return multiply(ctx, both, ctx.scalar(0.5))


@handles("Asinh")
def _asinh(ctx: Context, node: Node) -> Value:
    """sign(x) * log(|x| + sqrt(x * x + 1)), which cancels for no x."""
    x = node.input(0)
    size = unary(ctx, "ABS", x)
    root = unary(ctx, "SQRT", add(ctx, unary(ctx, "SQUARE", x), ctx.scalar(1)))
    return multiply(ctx, sign(ctx, x), unary(ctx, "LOG", add(ctx, size, root)))


@handles("Acosh")
def _acosh(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    root = unary(ctx, "SQRT", subtract(ctx, unary(ctx, "SQUARE", x), ctx.scalar(1)))
    return unary(ctx, "LOG", add(ctx, x, root))


@handles("Atanh")
def _atanh(ctx: Context, node: Node) -> Value:
    """log((1 + x) / (1 - x)) / 2."""
    x, one = node.input(0), ctx.scalar(1)
    quotient = divide(ctx, add(ctx, x, one), subtract(ctx, one, x))
    return multiply(ctx, unary(ctx, "LOG", quotient), ctx.scalar(0.5))


# atan(r) / r as a polynomial of r * r on 0..1, fitted at Chebyshev's points: 1e-7 at most from the function.
_ATAN = (-0.00174370114, 0.0106807194, -0.0307175089, 0.0574635579, -0.0837206395, 0.10940199, -0.142615737,
         0.199982306, -0.333332823, 0.999999998)  # fmt: skip


@handles("Atan")
def _atan(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    return multiply(ctx, sign(ctx, x), _angle(ctx, unary(ctx, "ABS", x), ctx.scalar(1)))


@handles("Asin", "Acos")
def _arc(ctx: Context, node: Node) -> Value:
    """asin(x) is the angle of x beside sqrt((1 - x) * (1 + x)); acos(x) = pi / 2 - asin(x)."""
    x, one = node.input(0), ctx.scalar(1)
    beside = unary(ctx, "SQRT", multiply(ctx, subtract(ctx, one, x), add(ctx, one, x)))
    sine = multiply(ctx, sign(ctx, x), _angle(ctx, unary(ctx, "ABS", x), beside))
    return sine if node.op == "Asin" else subtract(ctx, ctx.scalar(math.pi / 2), sine)


def _angle(ctx: Context, up: Value, along: Value) -> Value:
    """atan(up / along) of what is 0 or more, not both 0: up to 1 by the polynomial; beyond, as pi / 2 less
    that of along / up."""
    low, high = arithmetic.binary(ctx, "MINIMUM", up, along), arithmetic.binary(ctx, "MAXIMUM", up, along)
    ratio = divide(ctx, low, high)
    square = unary(ctx, "SQUARE", ratio)
    angle = multiply(ctx, ratio, arithmetic.polynomial(ctx, square, _ATAN))
    beyond = arithmetic.binary(ctx, "GREATER", up, along)
    return arithmetic.select(ctx, beyond, subtract(ctx, ctx.scalar(math.pi / 2), angle), angle)


@handles("IsInf")
def _is_infinite(ctx: Context, node: Node) -> Value:
    """Beyond the largest number there is."""
    x, most = node.input(0), ctx.scalar(float(np.finfo(np.float32).max))
    up, down = (bool(node.attribute(f"detect_{sign}", 1)) for sign in ("positive", "negative"))
    if not up and not down:
        return ctx.constant(np.zeros(x.shape, bool))
    size = unary(ctx, "ABS", x) if up and down else x if up else unary(ctx, "NEG", x)
    return arithmetic.binary(ctx, "GREATER", size, most)


def sign(ctx: Context, x: Value) -> Value:
    """-1, 0 or 1."""
    if x.data is not None:
        return ctx.constant(np.sign(x.data))
    zero = ctx.scalar(0, x.dtype)
    positive = arithmetic.cast(ctx, arithmetic.binary(ctx, "GREATER", x, zero), x.dtype)
    negative = arithmetic.cast(ctx, arithmetic.binary(ctx, "LESS", x, zero), x.dtype)
    return subtract(ctx, positive, negative)


@handles("Sign")
def _sign(ctx: Context, node: Node) -> Value:
    return sign(ctx, node.input(0))
