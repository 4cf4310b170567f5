# SPDX-License-Identifier: Apache-2.0
"""Normalizations, by what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import linear, movement, reduction, windows
from tinyserve.convert.frameworks.onnx_import.arithmetic import (
    add,
    binary,
    divide,
    multiply,
    subtract,
    unary,
)
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value

Array = npt.NDArray[Any]


@handles("BatchNormalization")
def _batch(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    if node.attribute("training_mode", 0) or len(node.shapes) > 1:
        raise node.refusal(
            "in training mode", "call model.eval() before torch.export.export (torch.onnx.export)"
        )
    gamma, beta, mean, variance = (node.constant(i, "statistics").astype(np.float64) for i in range(1, 5))
    scale = gamma / np.sqrt(variance + node.attribute("epsilon", 1e-5))
    return per_channel(ctx, x, scale, beta - mean * scale, node.alone[0])


def per_channel(ctx: Context, x: Value, scale: Array, shift: Array, alone: bool) -> Value:
    """x * scale + shift along axis 1, in the weights before where nothing else reads them."""
    if alone and linear.absorb(ctx, x, scale, shift, 1):
        x.nonnegative = False
        return x
    if x.rank == 4 and x.forms and ctx.draft.tensors[x.forms[x.natural]].quantization is not None:
        one = windows.Window((1, 1), (1, 1), (1, 1), (0, 0), (0, 0), (0, 0))
        weights = scale.astype(np.float32).reshape(-1, 1, 1, 1)
        return windows.convolve(ctx, x, windows.Filters(weights, shift, one, len(scale)))
    shape = (1, -1, *(1,) * (x.rank - 2))
    y = multiply(ctx, x, ctx.constant(scale.reshape(shape).astype(np.float32)))
    return add(ctx, y, ctx.constant(shift.reshape(shape).astype(np.float32)))


def standardized(ctx: Context, x: Value, axes: Sequence[int], epsilon: float) -> Value:
    """(x - mean) / sqrt(variance + epsilon) over ``axes``."""
    mean = reduction.mean(ctx, x, axes)
    centered = subtract(ctx, x, mean)
    variance = reduction.mean(ctx, binary(ctx, "SQUARED_DIFFERENCE", x, mean), axes)
    inverse = unary(ctx, "RSQRT", add(ctx, variance, ctx.scalar(epsilon)))
    return multiply(ctx, centered, inverse)


@handles("InstanceNormalization")
def _instance(ctx: Context, node: Node) -> Value:
    x, scale, shift = node.input(0), node.constant(1, "scales"), node.constant(2, "shifts")
    epsilon = node.attribute("epsilon", 1e-5)
    if _is_group(x):
        return _as_groups(ctx, x, lambda y: _affine(ctx, y, scale, shift), epsilon)
    y = standardized(ctx, x, range(2, x.rank), epsilon)
    y = _affine(ctx, y, scale, shift)
    y.spatial = x.spatial
    return y


def _is_group(x: Value) -> bool:
    """Whether it is a group normalization as PyTorch exports it: channels reshaped to (N, groups, all)."""
    source = x.source
    return (
        not x.forms and source is not None and x.rank == 3 and source.rank > 2
        and source.shape[0] == x.shape[0] and source.shape[1] % x.shape[1] == 0
    )  # fmt: skip


def _as_groups(ctx: Context, x: Value, affine: Callable[[Value], Value], epsilon: float) -> Value:
    """In the layout of the source; the result is reshaped as late as it was."""
    source = x.source
    assert source is not None
    n, c, *rest = source.shape
    groups = x.shape[1]
    split = movement.reshape(ctx, source, (n, groups, c // groups, *rest))
    y = affine(standardized(ctx, split, range(2, split.rank), epsilon))
    y.spatial = True
    result = Value(x.name, x.shape, x.dtype, source=y)
    result.make = lambda: ctx.reshaped(ctx.tensor(y), x.shape)
    return result


def _affine(ctx: Context, y: Value, scale: Array, shift: Array) -> Value:
    """Along axis 1."""
    shape = (1, -1, *(1,) * (y.rank - 2))
    if (scale != 1).any():
        y = multiply(ctx, y, ctx.constant(scale.reshape(shape)))
    return add(ctx, y, ctx.constant(shift.reshape(shape))) if (shift != 0).any() else y


@handles("GroupNormalization")
def _group(ctx: Context, node: Node) -> Value:
    x, scale, shift = node.input(0), node.constant(1, "scales"), node.constant(2, "shifts")
    groups = int(node.attribute("num_groups"))
    n, c, *rest = x.shape
    split = movement.reshape(ctx, x, (n, groups, c // groups, *rest))
    y = standardized(ctx, split, range(2, split.rank), node.attribute("epsilon", 1e-5))
    if len(scale) == groups != c:
        scale, shift = np.repeat(scale, c // groups), np.repeat(shift, c // groups)
    result = _affine(ctx, movement.reshape(ctx, y, x.shape), scale, shift)
    result.spatial = True
    return result


@handles("LayerNormalization")
def _layer(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    if len(node.shapes) > 1:
        raise node.refusal("with its mean as an output")
    axis = node.attribute("axis", -1) % x.rank
    y = standardized(ctx, x, range(axis, x.rank), node.attribute("epsilon", 1e-5))
    y = multiply(ctx, y, node.input(1))
    return y if node.optional(2) is None else add(ctx, y, node.input(2))


@handles("RMSNormalization")
def _root_mean_square(ctx: Context, node: Node) -> Value:
    x = node.input(0)
    axes = range(node.attribute("axis", -1) % x.rank, x.rank)
    square = reduction.mean(ctx, multiply(ctx, x, x), axes)
    inverse = unary(ctx, "RSQRT", add(ctx, square, ctx.scalar(node.attribute("epsilon", 1e-5))))
    return multiply(ctx, multiply(ctx, x, inverse), node.input(1))


@handles("MeanVarianceNormalization")
def _mean_variance(ctx: Context, node: Node) -> Value:
    axes = node.attribute("axes") or [0, 2, 3]
    return standardized(ctx, node.input(0), axes, 1e-9)


_TINY = 1e-24
"""Changes no sum but zero, for which 0 is the answer."""


@handles("LpNormalization")
def _lp(ctx: Context, node: Node) -> Value:
    x, axis = node.input(0), node.attribute("axis", -1)
    if node.attribute("p", 2) == 1:
        total = reduction.reduce(ctx, "SUM", unary(ctx, "ABS", x), [axis], True)
        return multiply(ctx, x, divide(ctx, ctx.scalar(1), add(ctx, total, ctx.scalar(_TINY))))
    total = reduction.reduce(ctx, "SUM", multiply(ctx, x, x), [axis], True)
    return multiply(ctx, x, unary(ctx, "RSQRT", add(ctx, total, ctx.scalar(_TINY))))


@handles("LRN")
def _local_response(ctx: Context, node: Node) -> Value:
    """x / (bias + alpha / size * the sum of squares of near channels) ** beta."""
    x, size = node.input(0), int(node.attribute("size"))
    channels = np.arange(x.shape[1])
    distance = channels[None, :] - channels[:, None]
    near = (distance >= -((size - 1) // 2)) & (distance <= size - 1 - (size - 1) // 2)
    factor = node.attribute("alpha", 1e-4) / size
    total = linear.along_axis(ctx, multiply(ctx, x, x), 1, near * np.float32(factor))
    base = add(ctx, total, ctx.scalar(node.attribute("bias", 1.0)))
    power = multiply(ctx, unary(ctx, "LOG", base), ctx.scalar(-node.attribute("beta", 0.75)))
    result = multiply(ctx, x, unary(ctx, "EXP", power))
    result.spatial = True
    return result
