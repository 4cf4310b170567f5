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
_COMPARISONS = frozenset(["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"])
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
    operands = [operand(ctx, value, form) for value in (a, b)]
    made = ctx.emit(name, operands, permuted(shape, form), dtype, **fields)
    result = ctx.computed(made, shape, form)
    result.spatial = any(value.spatial and value.rank == len(shape) for value in (a, b))
    result.nonnegative = name in ("ADD", "MUL") and all(_is_nonnegative(value) for value in (a, b))
    return result


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


def select(ctx: Context, condition: Value, a: Value, b: Value) -> Value:
    """a where the condition holds, else b."""
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    form = common_form([condition, a, b], len(shape))
    operands = [operand(ctx, value, form) for value in (condition, a, b)]
    made = ctx.emit("SELECT_V2", operands, permuted(shape, form), a.dtype)
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
