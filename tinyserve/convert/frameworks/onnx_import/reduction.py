# SPDX-License-Identifier: Apache-2.0
"""Operators on values that take axes together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyserve.convert.frameworks.onnx_import import movement
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.values import Value, permuted


def reduce(ctx: Context, name: str, x: Value, axes: Sequence[int], keep: bool) -> Value:
    """MEAN, SUM, REDUCE_MAX or REDUCE_MIN over ``axes``."""
    gone = {axis % x.rank for axis in axes}
    if not gone:
        return x
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    kept = tuple(1 if axis in gone else n for axis, n in enumerate(x.shape))
    numbers = np.array(sorted(form.index(axis) for axis in gone), np.int32)
    inputs = [x.forms[form], ctx.draft.constant(f"{ctx.scope}/axes", numbers)]
    made = ctx.emit(name, inputs, permuted(kept, form), x.dtype, keepDims=True)
    result = ctx.computed(made, kept, form, like=x)
    result.nonnegative = x.nonnegative
    return result if keep else movement.squeeze(ctx, result, sorted(gone))


def mean(ctx: Context, x: Value, axes: Sequence[int]) -> Value:
    """Keeps the axes."""
    return reduce(ctx, "MEAN", x, axes, True)


def along_last(ctx: Context, name: str, x: Value, axis: int, **fields: float) -> Value:
    """An operator that works along the last axis in memory: SOFTMAX, LOG_SOFTMAX, L2_NORMALIZATION."""
    axis %= x.rank
    form = ctx.form_for(x, axis)
    made = ctx.emit(name, [ctx.tensor(x, form)], permuted(x.shape, form), **fields)
    result = ctx.computed(made, x.shape, form, like=x)
    result.nonnegative = name == "SOFTMAX"
    return result


def top(ctx: Context, x: Value, axis: int, count: int) -> tuple[Value, Value]:
    """The ``count`` largest entries along an axis, in falling order, and their places as int32."""
    axis %= x.rank
    form = ctx.form_for(x, axis)
    shape = tuple(count if i == axis else n for i, n in enumerate(x.shape))
    number = ctx.draft.constant(f"{ctx.scope}/count", np.array(count, np.int32))
    made = [ctx.new(permuted(shape, form), dtype) for dtype in (x.dtype, np.int32)]
    ctx.draft.operator("TOPK_V2", [ctx.tensor(x, form), number], made)
    values, places = (ctx.computed(tensor, shape, form, like=x) for tensor in made)
    return values, places


def arg(ctx: Context, name: str, x: Value, axis: int, keep: bool) -> Value:
    """ARG_MAX or ARG_MIN: the first place of the largest (smallest) entry, as int32."""
    axis %= x.rank
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    shape = tuple(n for i, n in enumerate(x.shape) if i != axis)
    rest = tuple(a - (a > axis) for a in form if a != axis)
    place = ctx.draft.constant(f"{ctx.scope}/axis", np.array(form.index(axis), np.int32))
    made = ctx.emit(name, [x.forms[form], place], permuted(shape, rest), np.int32, outputType=2)
    result = ctx.computed(made, shape, rest)
    result.nonnegative = True
    return movement.unsqueeze(ctx, result, [axis]) if keep else result
