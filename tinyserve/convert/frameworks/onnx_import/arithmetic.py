# SPDX-License-Identifier: Apache-2.0
"""Elementwise operators on values: the layout of what goes in is that of what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import.context import BOOL, Context
from tinyserve.convert.frameworks.onnx_import.values import (
    Flat,
    Permutation,
    Value,
    identity,
    permuted,
)

Array = npt.NDArray[Any]
_NUMPY: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "DIV": np.divide,
    "MAXIMUM": np.maximum, "MINIMUM": np.minimum,
}  # fmt: skip
_MOST_AXES = 4
_LARGE = 32.0
_OVERFLOWING = frozenset(["DIV", "EXP", "LOG", "POW", "RSQRT", "SQRT"])
_ELEMENTWISE = frozenset(
    [
        "ABS",
        "ADD",
        "ELU",
        "MAXIMUM",
        "MINIMUM",
        "MUL",
        "NEG",
        "RELU",
        "RESHAPE",
        "SELECT_V2",
        "SQUARE",
        "SUB",
        "TRANSPOSE",
    ]
)
_COMPARISONS = frozenset(["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"])
_OF_FOUR_AXES = _COMPARISONS | {"SQUARED_DIFFERENCE", "POW", "LOGICAL_AND", "LOGICAL_OR"}
"""What LiteRT's kernels broadcast over no more, not even a single element: with five it ends the process."""
_NONNEGATIVE = frozenset(["RELU", "RELU6", "LOGISTIC", "EXP", "ABS", "SQUARE", "SQRT", "RSQRT", "SOFTMAX"])


def unary(ctx: Context, name: str, x: Value, dtype: Any = None, **fields: float) -> Value:
    """An operator of one input."""
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    if x.flat is not None and not x.forms:
        return _unary_flat(ctx, name, x, dtype, fields)
    if not x.forms:
        ctx.tensor(x)
    form = x.natural
    made = ctx.emit(name, [x.forms[form]], permuted(x.shape, form), dtype, **fields)
    result = ctx.computed(made, x.shape, form, like=x)
    result.nonnegative = name in _NONNEGATIVE
    return result


def _unary_flat(ctx: Context, name: str, x: Value, dtype: Any, fields: dict[str, float]) -> Value:
    assert x.flat is not None
    made = ctx.emit(name, [x.flat.tensor], x.shape, dtype, **fields)
    flat = Flat(made, x.flat.order)
    result = Value(x.name, x.shape, np.dtype(dtype), flat=flat, nonnegative=name in _NONNEGATIVE)
    result.make = lambda: ctx.emit(name, [ctx.tensor(x)], x.shape, dtype, **fields)
    return result


def binary(ctx: Context, name: str, a: Value, b: Value, **fields: float) -> Value:
    """An operator of two inputs that broadcast as numpy's do."""
    if a.data is not None and b.data is not None and name in _NUMPY:
        return ctx.constant(_NUMPY[name](a.data, b.data))
    shape = np.broadcast_shapes(a.shape, b.shape)
    dtype = BOOL if name in _COMPARISONS else a.dtype
    form = common_form([a, b], len(shape))
    made = _emit_broadcast(
        ctx, name, [operand(ctx, v, form) for v in (a, b)], (permuted(shape, form), dtype), **fields
    )
    result = ctx.computed(made, shape, form)
    result.spatial = any(value.spatial and value.rank == len(shape) for value in (a, b))
    result.nonnegative = name in ("ADD", "MUL") and all(_is_nonnegative(value) for value in (a, b))
    return result


def _emit_broadcast(
    ctx: Context, name: str, operands: list[int], result: tuple[tuple[int, ...], Any], **fields: float
) -> int:
    """The operator with a result of this shape and type. Beyond four axes, where calibration fails, with
    those merged that broadcast alike."""
    shape, dtype = result
    sizes = [ctx.draft.tensors[index].shape for index in operands]
    single = name not in _OF_FOUR_AXES and all(size == shape or np.prod(size) == 1 for size in sizes)
    if len(shape) <= _MOST_AXES or single:
        return ctx.emit(name, operands, shape, dtype, **fields)
    whole = [(1,) * (len(shape) - len(s)) + s for s in sizes]
    groups = list[list[int]]()
    for axis, extent in enumerate(shape):
        alike = groups and all(
            (s[axis] == extent) == (s[groups[-1][0]] == shape[groups[-1][0]]) for s in whole
        )
        if alike or (groups and extent == 1):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    merged = [tuple(int(np.prod([s[axis] for axis in group])) for group in groups) for s in (*whole, shape)]
    inputs = [_reshaped(ctx, index, new) for index, new in zip(operands, merged, strict=False)]
    return ctx.reshaped(ctx.emit(name, inputs, merged[-1], dtype, **fields), shape)


def _reshaped(ctx: Context, tensor: int, shape: tuple[int, ...]) -> int:
    made = ctx.draft.tensors[tensor]
    if made.data is None:
        return ctx.reshaped(tensor, shape)
    return ctx.draft.constant(made.name, made.data.reshape(shape))


def _is_nonnegative(value: Value) -> bool:
    return value.nonnegative or (value.data is not None and bool((value.data >= 0).all()))


def common_form(values: Sequence[Value], rank: int) -> Permutation:
    """The form in which values of up to ``rank`` axes meet: that of the largest one which is computed."""
    candidates = [v for v in values if v.data is None and v.forms]
    if not candidates:
        return identity(rank)
    largest = max(candidates, key=lambda v: (v.rank, int(np.prod(v.shape))))
    return widened(largest.natural, rank)


def widened(form: Permutation, rank: int) -> Permutation:
    """The form of a value that gets axes of extent 1 in front."""
    extra = rank - len(form)
    return (*range(extra), *(axis + extra for axis in form))


def operand(ctx: Context, value: Value, form: Permutation) -> int:
    """The value in a form of perhaps more axes; constants without the leading axes that say nothing."""
    extra = len(form) - value.rank
    if value.data is not None:
        stored = value.data.reshape((1,) * extra + value.shape).transpose(form)
        while stored.ndim > 1 and stored.shape[0] == 1:
            stored = stored[0]
        return ctx.draft.constant(value.name, np.ascontiguousarray(stored.reshape(stored.shape or (1,))))
    if extra == 0:
        return ctx.tensor(value, form)
    own = tuple(axis - extra for axis in form if axis >= extra)
    shape = permuted((1,) * extra + value.shape, form)
    return ctx.reshaped(ctx.tensor(value, own), shape)


def add(ctx: Context, a: Value, b: Value) -> Value:
    return binary(ctx, "ADD", a, b)


def subtract(ctx: Context, a: Value, b: Value) -> Value:
    return binary(ctx, "SUB", a, b)


def multiply(ctx: Context, a: Value, b: Value) -> Value:
    return binary(ctx, "MUL", a, b)


def divide(ctx: Context, a: Value, b: Value) -> Value:
    return binary(ctx, "DIV", a, b)


def polynomial(ctx: Context, x: Value, factors: Sequence[float]) -> Value:
    """By Horner's scheme: ``factors`` from that of the highest power down to the constant."""
    result = add(ctx, multiply(ctx, x, ctx.scalar(factors[0])), ctx.scalar(factors[1]))
    for factor in factors[2:]:
        result = add(ctx, multiply(ctx, result, x), ctx.scalar(factor))
    return result


def at_least(ctx: Context, x: Value, low: float) -> Value:
    """max(x, low). By RELU: TensorFlow's quantizer gives the inputs of MAXIMUM and MINIMUM the range of what
    comes out, which cuts off what others read."""
    if abs(low) > _LARGE or x.dtype.kind != "f":
        return binary(ctx, "MAXIMUM", x, ctx.scalar(low, x.dtype))
    if low == 0:
        return unary(ctx, "RELU", x)
    return add(ctx, unary(ctx, "RELU", add(ctx, x, ctx.scalar(-low))), ctx.scalar(low))


def at_most(ctx: Context, x: Value, high: float) -> Value:
    """min(x, high); see ``at_least``."""
    if abs(high) > _LARGE or x.dtype.kind != "f":
        return binary(ctx, "MINIMUM", x, ctx.scalar(high, x.dtype))
    if high == 0:
        return subtract(ctx, x, unary(ctx, "RELU", x))
    return subtract(ctx, ctx.scalar(high), unary(ctx, "RELU", subtract(ctx, ctx.scalar(high), x)))


def select(ctx: Context, condition: Value, a: Value, b: Value) -> Value:
    """a where the condition holds, else b. As a sum of products where both are finite: SELECT_V2 would tie
    the ranges of what goes in to those of what comes out. What may be infinite, or no number, times zero is
    not zero."""
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    if condition.data is not None and condition.data.all() == condition.data.any():
        taken = a if condition.data.all() else b
        if taken.shape == shape:
            return taken
    known = [value.data for value in (a, b) if value.data is not None]
    odd = any(not np.isfinite(data).all() for data in known) or _guards(ctx, condition)
    if a.dtype.kind != "f" or odd or any(_may_overflow(ctx, value) for value in (a, b)):
        return _select_operator(ctx, condition, a, b)
    first = cast(ctx, condition, np.float32)
    second = subtract(ctx, ctx.scalar(1), first)
    parts = [
        multiply(ctx, mask, v) for mask, v in ((first, a), (second, b)) if v.data is None or v.data.any()
    ]
    if not parts:
        return multiply(ctx, first, a)
    result = parts[0] if len(parts) == 1 else add(ctx, *parts)
    if result.shape != shape:
        return _select_operator(ctx, condition, a, b)
    result.spatial = any(value.spatial for value in (a, b))
    return result


def _guards(ctx: Context, condition: Value) -> bool:
    """Whether the condition is that a value differs from itself."""
    made = [ctx.draft.producer(tensor) for tensor in condition.forms.values()]
    return any(op is not None and op.name == "NOT_EQUAL" and len(set(op.inputs)) == 1 for op in made)


def _may_overflow(ctx: Context, value: Value) -> bool:
    """Whether it is made, element by element, of what has no number for some arguments."""
    waiting, seen = list(value.forms.values()), set[int]()
    while waiting:
        tensor = waiting.pop()
        made = ctx.draft.producer(tensor)
        if tensor in seen or made is None or made.name not in _ELEMENTWISE | _OVERFLOWING:
            continue
        if made.name in _OVERFLOWING:
            return True
        seen.add(tensor)
        waiting.extend(made.inputs)
    return False


def _select_operator(ctx: Context, condition: Value, a: Value, b: Value) -> Value:
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    form = common_form([condition, a, b], len(shape))
    operands = [operand(ctx, value, form) for value in (condition, a, b)]
    made = _emit_broadcast(ctx, "SELECT_V2", operands, (permuted(shape, form), a.dtype))
    result = ctx.computed(made, shape, form)
    result.spatial = any(value.spatial for value in (a, b))
    return result


def cast(ctx: Context, x: Value, dtype: Any) -> Value:
    """In another type. Floats are cut to integers."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.data is not None:
        return ctx.constant(x.data.astype(dtype))
    codes = {"float32": 0, "int32": 2, "uint8": 3, "bool": 6, "int16": 7, "int8": 9}
    return unary(ctx, "CAST", x, dtype, inDataType=codes[x.dtype.name], outDataType=codes[dtype.name])
