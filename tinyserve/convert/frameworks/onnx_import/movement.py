# SPDX-License-Identifier: Apache-2.0
"""Operators on values that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import.arithmetic import binary, cast, common_form
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.values import (
    Flat,
    Permutation,
    Value,
    permuted,
    reshaped,
)

Array = npt.NDArray[Any]


def transpose(ctx: Context, x: Value, axes: Sequence[int]) -> Value:
    """Moves nothing: what there is gets other permutations."""
    shape = tuple(x.shape[axis] for axis in axes)
    if x.data is not None:
        return ctx.constant(x.data.transpose(axes), x.name)
    if not x.forms:
        ctx.tensor(x)
    places = {axis: place for place, axis in enumerate(axes)}
    forms = {tuple(places[axis] for axis in form): tensor for form, tensor in x.forms.items()}
    return Value(x.name, shape, x.dtype, forms=forms, nonnegative=x.nonnegative)


def reshape(ctx: Context, x: Value, shape: Sequence[int]) -> Value:
    """In the layout that there is where that is possible; else from the form as it is written."""
    target = tuple(int(n) for n in shape)
    if x.data is not None:
        return ctx.constant(x.data.reshape(target), x.name)
    if target == x.shape:
        return x
    if not x.forms and x.source is not None:
        return reshape(ctx, x.source, target)
    for form, tensor in x.forms.items():
        moved = reshaped(x.shape, target, form)
        if moved is not None:
            made = ctx.computed(ctx.reshaped(tensor, permuted(target, moved)), target, moved)
            made.nonnegative = x.nonnegative
            return made
    result = Value(x.name, target, x.dtype, nonnegative=x.nonnegative, source=x)
    result.make = lambda: ctx.reshaped(ctx.tensor(x), target)
    if len(target) == 2 and target[0] == 1 and x.forms:
        order = np.arange(target[1]).reshape(x.shape).transpose(x.natural).reshape(-1)
        result.flat = Flat(ctx.reshaped(x.forms[x.natural], target), order)
    return result


def unsqueeze(ctx: Context, x: Value, axes: Sequence[int]) -> Value:
    """``axes`` count in the result."""
    rank = x.rank + len(axes)
    new = {axis % rank for axis in axes}
    extents = iter(x.shape)
    return reshape(ctx, x, [1 if axis in new else next(extents) for axis in range(rank)])


def squeeze(ctx: Context, x: Value, axes: Sequence[int]) -> Value:
    gone = {axis % x.rank for axis in axes}
    return reshape(ctx, x, [n for axis, n in enumerate(x.shape) if axis not in gone])


def strided_slice(
    ctx: Context, x: Value, begins: Sequence[int], counts: Sequence[int], steps: Sequence[int]
) -> Value:
    """Along each axis ``counts`` elements from ``begins`` in steps, which may be negative."""
    shape = tuple(counts)
    if shape == x.shape and all(step == 1 for step in steps):
        return x
    if x.data is not None:
        indices = np.ix_(*(b + s * np.arange(n) for b, n, s in zip(begins, counts, steps, strict=True)))
        return ctx.constant(x.data[indices], x.name)
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    ends = [b + s * n for b, n, s in zip(begins, counts, steps, strict=True)]
    past = sum(1 << place for place, axis in enumerate(form) if ends[axis] < 0)  # down to the first element
    numbers = [
        ctx.draft.constant(f"{ctx.scope}/slice", np.array(permuted(values, form), np.int32))
        for values in (begins, [max(end, 0) for end in ends], steps)
    ]
    made = ctx.emit("STRIDED_SLICE", [x.forms[form], *numbers], permuted(shape, form), x.dtype, endMask=past)
    result = ctx.computed(made, shape, form, like=x)
    result.nonnegative = x.nonnegative
    return result


def take(ctx: Context, x: Value, axis: int, begin: int, count: int, *, step: int = 1) -> Value:
    """A slice along one axis."""
    begins, counts, steps = [0] * x.rank, list(x.shape), [1] * x.rank
    begins[axis], counts[axis], steps[axis] = begin, count, step
    return strided_slice(ctx, x, begins, counts, steps)


def split(ctx: Context, x: Value, axis: int, count: int) -> list[Value]:
    """Equal parts along one axis, which is the last in some form of the value."""
    if count == 1:
        return [x]
    if x.data is not None:
        return [ctx.constant(part) for part in np.split(x.data, count, axis)]
    form = ctx.form_for(x, axis)
    tensor = ctx.tensor(x, form)
    shape = list(x.shape)
    shape[axis] //= count
    made = [ctx.new(permuted(shape, form), x.dtype) for _ in range(count)]
    number = ctx.draft.constant(f"{ctx.scope}/axis", np.array(form.index(axis), np.int32))
    ctx.draft.operator("SPLIT", [number, tensor], made, numSplits=count)
    return [ctx.computed(part, shape, form, like=x) for part in made]


def concatenate(ctx: Context, parts: Sequence[Value], axis: int) -> Value:
    if len(parts) == 1:
        return parts[0]
    if all(part.data is not None for part in parts):
        return ctx.constant(np.concatenate([part.data for part in parts if part.data is not None], axis))
    axis %= parts[0].rank
    parts = [part for part in parts if part.shape[axis]]
    form = common_form(parts, parts[0].rank)
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    tensors = [ctx.tensor(part, form) for part in parts]
    made = ctx.emit("CONCATENATION", tensors, permuted(shape, form), parts[0].dtype, axis=form.index(axis))
    result = ctx.computed(made, shape, form)
    result.spatial = any(part.spatial for part in parts)
    result.nonnegative = all(part.nonnegative for part in parts)
    return result


def pad(ctx: Context, x: Value, before: Sequence[int], after: Sequence[int], value: float = 0.0) -> Value:
    """With a constant; negative numbers cut off."""
    x, before, after = _cropped(ctx, x, before, after)
    if not any((*before, *after)):
        return x
    form, pairs = _pairs(ctx, x, before, after)
    shape = [n + b + a for n, b, a in zip(x.shape, before, after, strict=True)]
    inputs, name = [x.forms[form], pairs], "PAD"
    if value:
        inputs.append(ctx.draft.constant(f"{ctx.scope}/value", np.array(value, x.dtype)))
        name = "PADV2"
    made = ctx.emit(name, inputs, permuted(shape, form), x.dtype)
    result = ctx.computed(made, shape, form, like=x)
    result.nonnegative = x.nonnegative and value >= 0
    return result


def mirror(ctx: Context, x: Value, before: Sequence[int], after: Sequence[int], symmetric: bool) -> Value:
    """Padded with the values next to the border: the border's own first (symmetric), or not (reflect)."""
    if not any((*before, *after)):
        return x
    form, pairs = _pairs(ctx, x, before, after)
    shape = [n + b + a for n, b, a in zip(x.shape, before, after, strict=True)]
    made = ctx.emit("MIRROR_PAD", [x.forms[form], pairs], permuted(shape, form), x.dtype, mode=int(symmetric))
    result = ctx.computed(made, shape, form, like=x)
    result.nonnegative = x.nonnegative
    return result


def _pairs(ctx: Context, x: Value, before: Sequence[int], after: Sequence[int]) -> tuple[Permutation, int]:
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    pairs = np.array([[before[axis], after[axis]] for axis in form], np.int32)
    return form, ctx.draft.constant(f"{ctx.scope}/padding", pairs)


def _cropped(
    ctx: Context, x: Value, before: Sequence[int], after: Sequence[int]
) -> tuple[Value, list[int], list[int]]:
    begins = [max(-b, 0) for b in before]
    counts = [n - c - max(-a, 0) for n, c, a in zip(x.shape, begins, after, strict=True)]
    x = strided_slice(ctx, x, begins, counts, [1] * x.rank)
    return x, [max(b, 0) for b in before], [max(a, 0) for a in after]


def gather(ctx: Context, x: Value, indices: Value, axis: int) -> Value:
    """Slices of ``x`` along ``axis``; the axes of ``indices`` take its place."""
    if indices.data is not None:
        return _gather_known(ctx, x, indices.data, axis)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    if not indices.nonnegative:
        indices = _from_the_start(ctx, indices, x.shape[axis])
    made = ctx.emit("GATHER", [ctx.tensor(x), ctx.tensor(indices)], shape, x.dtype, axis=axis)
    return ctx.computed(made, shape)


def _from_the_start(ctx: Context, indices: Value, extent: int) -> Value:
    """Negative indices count from the end. In operators that TFLM has for integers, which FLOOR_MOD and
    SELECT_V2 are not."""
    negative = cast(ctx, binary(ctx, "LESS", indices, ctx.scalar(0, indices.dtype)), indices.dtype)
    added = binary(ctx, "MUL", negative, ctx.scalar(extent, indices.dtype))
    return binary(ctx, "ADD", indices, added)


def _gather_known(ctx: Context, x: Value, indices: Array, axis: int) -> Value:
    extent = x.shape[axis]
    wanted = np.where(indices < 0, indices + extent, indices).astype(np.int64)
    if x.data is not None:
        return ctx.constant(np.take(x.data, wanted, axis), x.name)
    shape = (*x.shape[:axis], *wanted.shape, *x.shape[axis + 1 :])
    row = wanted.reshape(-1)
    steps = np.diff(row)
    if row.size and (row.size == 1 or ((steps == steps[0]).all() and steps[0] != 0)):
        part = take(ctx, x, axis, int(row[0]), row.size, step=int(steps[0]) if row.size > 1 else 1)
    else:
        if not x.forms:
            ctx.tensor(x)
        form = x.natural
        inner = [row.size if i == axis else n for i, n in enumerate(x.shape)]
        numbers = ctx.draft.constant(f"{ctx.scope}/indices", row.astype(np.int32))
        made = ctx.emit(
            "GATHER", [x.forms[form], numbers], permuted(inner, form), x.dtype, axis=form.index(axis)
        )
        part = ctx.computed(made, inner, form, like=x)
    return part if part.shape == shape else reshape(ctx, part, shape)


def expand(ctx: Context, x: Value, shape: Sequence[int]) -> Value:
    """Broadcast to the shape."""
    target = tuple(np.broadcast_shapes(x.shape, tuple(shape)))
    if x.data is not None:
        return ctx.constant(np.broadcast_to(x.data, target), x.name)
    if target == x.shape:
        return x
    x = reshape(ctx, x, (1,) * (len(target) - x.rank) + x.shape)
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    numbers = ctx.draft.constant(f"{ctx.scope}/shape", np.array(permuted(target, form), np.int32))
    made = ctx.emit("BROADCAST_TO", [x.forms[form], numbers], permuted(target, form), x.dtype)
    return ctx.computed(made, target, form, like=x)


def reverse(ctx: Context, x: Value, axis: int) -> Value:
    """By a slice in steps of -1: no quantizer has REVERSE_V2 in 16 bits."""
    return take(ctx, x, axis, x.shape[axis] - 1, x.shape[axis], step=-1)
