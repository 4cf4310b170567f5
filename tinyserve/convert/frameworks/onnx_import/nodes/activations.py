# SPDX-License-Identifier: Apache-2.0
"""Activations, exactly as ONNX defines them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import arithmetic, movement, reduction
from tinyserve.convert.frameworks.onnx_import.arithmetic import add, divide, multiply, subtract, unary
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value, permuted

Array = npt.NDArray[Any]
_SQRT_HALF = 0.7071067811865476
_MOST_AXES_OF_PRELU = 4  # with five, LiteRT ends the process that calibrates


@handles("Relu")
def _relu(ctx: Context, node: Node) -> Value:
    return node.input(0) if node.input(0).nonnegative else unary(ctx, "RELU", node.input(0))


@handles("Sigmoid")
def _sigmoid(ctx: Context, node: Node) -> Value:
    return unary(ctx, "LOGISTIC", node.input(0))


@handles("Tanh")
def _tanh(ctx: Context, node: Node) -> Value:
    return unary(ctx, "TANH", node.input(0))


@handles("LeakyRelu")
def _leaky_relu(ctx: Context, node: Node) -> Value:
    return unary(ctx, "LEAKY_RELU", node.input(0), alpha=node.attribute("alpha", 0.01))


@handles("PRelu")
def _prelu(ctx: Context, node: Node) -> Value:
    x, slope = node.input(0), node.input(1)
    if slope.data is not None and np.unique(slope.data).size == 1 and 0 <= slope.data.reshape(-1)[0] <= 1:
        return unary(ctx, "LEAKY_RELU", x, alpha=float(slope.data.reshape(-1)[0]))
    form = x.natural
    by_operator = slope.data is not None and form[0] == 0 and x.rank <= _MOST_AXES_OF_PRELU
    if not by_operator or (slope.rank == x.rank and slope.shape[0] != 1):
        above = unary(ctx, "RELU", x)
        return add(ctx, above, multiply(ctx, subtract(ctx, x, above), slope))
    assert slope.data is not None
    return _prelu_operator(ctx, x, slope.data)


def _prelu_operator(ctx: Context, x: Value, slope: Array) -> Value:
    """TFLite's PRELU wants one slope per element of a sample, or 1 along some axes."""
    form = x.natural
    whole = slope.reshape((1,) * (x.rank - slope.ndim) + slope.shape).transpose(form)[0]
    inputs = [ctx.tensor(x, form), ctx.draft.constant(f"{ctx.scope}/slope", np.ascontiguousarray(whole))]
    return ctx.computed(ctx.emit("PRELU", inputs, permuted(x.shape, form)), x.shape, form, like=x)


@handles("Clip")
def _clip(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    low, high = _bound(node, "min", 1), _bound(node, "max", 2)
    if x.dtype.kind == "f" and low == 0 and high is None:
        return unary(ctx, "RELU", x)
    if x.dtype.kind == "f" and (low, high) in ((0, 6), (-1, 1)):
        return unary(ctx, "RELU6" if high == 6 else "RELU_N1_TO_1", x)
    if low is not None:
        x = arithmetic.at_least(ctx, x, low)
    if high is not None:
        x = arithmetic.at_most(ctx, x, high)
    x.nonnegative = low is not None and low >= 0
    return x


def _bound(node: Node, name: str, index: int) -> float | None:
    """A limit; None where it limits nothing."""
    if node.attribute(name) is not None:
        limit = float(node.attribute(name))
    elif node.optional(index) is None:
        return None
    else:
        limit = float(node.constant(index, "limits").reshape(-1)[0])
    return None if _is_unlimited(node.input(0).dtype, name, limit) else limit


def _is_unlimited(dtype: np.dtype[Any], name: str, limit: float) -> bool:
    """Exporters write the ends of a type where nothing is limited, of int64 too."""
    if dtype.kind == "f":
        return abs(limit) > 3e38
    ends = np.iinfo(dtype)
    return limit <= ends.min if name == "min" else limit >= ends.max


@handles("Elu")
def _elu(ctx: Context, node: Node) -> Value:
    return elu(ctx, node.input(0), float(node.attribute("alpha", 1.0)), 1.0)


@handles("Celu")
def _celu(ctx: Context, node: Node) -> Value:
    alpha = float(node.attribute("alpha", 1.0))
    inner = elu(ctx, multiply(ctx, node.input(0), ctx.scalar(1 / alpha)), 1.0, 1.0)
    return multiply(ctx, inner, ctx.scalar(alpha))


@handles("Selu")
def _selu(ctx: Context, node: Node) -> Value:
    alpha = float(node.attribute("alpha", 1.67326319217681884765625))
    return elu(ctx, node.input(0), alpha, float(node.attribute("gamma", 1.05070102214813232421875)))


def elu(ctx: Context, x: Value, alpha: float, gamma: float) -> Value:
    """gamma * (max(x, 0) + alpha * (exp(min(x, 0)) - 1))."""
    plain = unary(ctx, "ELU", x)
    if alpha == 1.0:
        return plain if gamma == 1.0 else multiply(ctx, plain, ctx.scalar(gamma))
    scaled = multiply(ctx, plain, ctx.scalar(alpha * gamma))
    return add(ctx, scaled, multiply(ctx, unary(ctx, "RELU", x), ctx.scalar(gamma * (1 - alpha))))


@handles("HardSigmoid")
def _hard_sigmoid(ctx: Context, node: Node) -> Value:
    return hard_sigmoid(ctx, node.input(0), node.attribute("alpha", 0.2), node.attribute("beta", 0.5))


def hard_sigmoid(ctx: Context, x: Value, alpha: float, beta: float) -> Value:
    """alpha * x + beta, in 0..1."""
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        moved = unary(ctx, "RELU6", add(ctx, x, ctx.scalar(3)))
        return multiply(ctx, moved, ctx.scalar(1 / 6))
    line = add(ctx, multiply(ctx, x, ctx.scalar(alpha)), ctx.scalar(beta))
    return arithmetic.at_most(ctx, unary(ctx, "RELU", line), 1)


@handles("HardSwish")
def _hard_swish(ctx: Context, node: Node) -> Value:
    return unary(ctx, "HARD_SWISH", node.input(0))


@handles("Swish")
def _swish(ctx: Context, node: Node) -> Value:
    x, alpha = node.input(0), float(node.attribute("alpha", 1.0))
    inside = x if alpha == 1 else multiply(ctx, x, ctx.scalar(alpha))
    return multiply(ctx, x, unary(ctx, "LOGISTIC", inside))


@handles("Softplus")
def _softplus(ctx: Context, node: Node) -> Value:
    return softplus(ctx, node.input(0))


def softplus(ctx: Context, x: Value) -> Value:
    """log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)), which no x overflows."""
    small = unary(ctx, "EXP", unary(ctx, "NEG", unary(ctx, "ABS", x)))
    result = add(ctx, unary(ctx, "RELU", x), unary(ctx, "LOG", add(ctx, small, ctx.scalar(1))))
    result.nonnegative = True
    return result


@handles("Mish")
def _mish(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    return multiply(ctx, x, unary(ctx, "TANH", softplus(ctx, x)))


@handles("Softsign")
def _softsign(ctx: Context, node: Node) -> Value:
    return softsign(ctx, node.input(0))


def softsign(ctx: Context, x: Value) -> Value:
    """x / (1 + |x|)."""
    return divide(ctx, x, add(ctx, unary(ctx, "ABS", x), ctx.scalar(1)))


@handles("ThresholdedRelu")
def _thresholded_relu(ctx: Context, node: Node) -> Value:
    return thresholded_relu(ctx, node.input(0), node.attribute("alpha", 1.0))


def thresholded_relu(ctx: Context, x: Value, alpha: float) -> Value:
    """x above ``alpha``, else 0."""
    above = arithmetic.binary(ctx, "GREATER", x, ctx.scalar(alpha))
    return arithmetic.select(ctx, above, x, ctx.scalar(0))


@handles("Shrink")
def _shrink(ctx: Context, node: Node) -> Value:
    x, edge, bias = node.input(0), node.attribute("lambd", 0.5), node.attribute("bias", 0.0)
    above = arithmetic.binary(ctx, "GREATER", x, ctx.scalar(edge))
    below = arithmetic.binary(ctx, "LESS", x, ctx.scalar(-edge))
    high = arithmetic.select(ctx, above, subtract(ctx, x, ctx.scalar(bias)), ctx.scalar(0))
    return arithmetic.select(ctx, below, add(ctx, x, ctx.scalar(bias)), high)


@handles("Gelu")
def _gelu(ctx: Context, node: Node) -> Value:
    return gelu(ctx, node.input(0), node.attribute("approximate", "none") == "tanh")


def gelu(ctx: Context, x: Value, approximate: bool) -> Value:
    if approximate:
        cubed = multiply(ctx, multiply(ctx, unary(ctx, "SQUARE", x), x), ctx.scalar(0.044715))
        inside = multiply(ctx, add(ctx, x, cubed), ctx.scalar(0.7978845608028654))
        share = add(ctx, unary(ctx, "TANH", inside), ctx.scalar(1))
    else:
        share = add(ctx, erf(ctx, multiply(ctx, x, ctx.scalar(_SQRT_HALF))), ctx.scalar(1))
    return multiply(ctx, multiply(ctx, x, ctx.scalar(0.5)), share)


@handles("Erf")
def _erf(ctx: Context, node: Node) -> Value:
    return erf(ctx, node.input(0))


# Cephes' and Eigen's: x * P(x^2) / Q(x^2) on |x| <= 4, to the last bits of float32.
_ERF_P = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
          -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)  # fmt: skip
_ERF_Q = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
          -1.42647390514189e-02)  # fmt: skip


def erf(ctx: Context, x: Value) -> Value:
    """The error function as a quotient of polynomials: TFLite has no operator for it."""
    x = multiply(ctx, unary(ctx, "RELU_N1_TO_1", multiply(ctx, x, ctx.scalar(0.25))), ctx.scalar(4))
    square = unary(ctx, "SQUARE", x)
    over, under = (arithmetic.polynomial(ctx, square, factors) for factors in (_ERF_P, _ERF_Q))
    return divide(ctx, multiply(ctx, x, over), under)


@handles("Softmax", "LogSoftmax")
def _softmax(ctx: Context, node: Node) -> Value:
    x, name = node.input(0), "SOFTMAX" if node.op == "Softmax" else "LOG_SOFTMAX"
    fields = {"beta": 1.0} if name == "SOFTMAX" else {}
    axis = int(node.attribute("axis", -1 if node.opset >= 13 else 1)) % x.rank
    if node.opset >= 13 or axis == x.rank - 1:
        return reduction.along_last(ctx, name, x, axis, **fields)
    rows = movement.reshape(ctx, x, (int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))))
    return movement.reshape(ctx, reduction.along_last(ctx, name, rows, 1, **fields), x.shape)
