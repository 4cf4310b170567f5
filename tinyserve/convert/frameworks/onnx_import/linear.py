# SPDX-License-Identifier: Apache-2.0
"""Products with weights and of two values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import movement
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.values import Value, identity, permuted

Array = npt.NDArray[Any]


def fully_connected(ctx: Context, x: Value, weights: Array, bias: Array | None = None) -> Value:
    """x (..., K) @ weights (M, K) transposed + bias (M): the last axis becomes one of M."""
    weights, made_bias = weights.astype(np.float32), _bias(bias, len(weights))
    if x.flat is not None and not x.forms:
        tensor, form, weights = x.flat.tensor, identity(x.rank), weights[:, x.flat.order]
    else:
        form = ctx.form_for(x, x.rank - 1)
        tensor = ctx.tensor(x, form)
    shape = (*x.shape[:-1], len(weights))
    constants = [
        ctx.draft.constant(f"{ctx.scope}/weights", np.ascontiguousarray(weights)),
        ctx.draft.constant(f"{ctx.scope}/bias", made_bias),
    ]
    made = ctx.emit(
        "FULLY_CONNECTED",
        [tensor, *constants],
        permuted(shape, form),
        keepNumDims=x.rank > 2,
    )
    return ctx.computed(made, shape, form)


def _bias(bias: Array | None, count: int) -> Array:
    return np.zeros(count, np.float32) if bias is None else np.ascontiguousarray(bias, np.float32)


def along_axis(ctx: Context, x: Value, axis: int, matrix: Array) -> Value:
    """Each line along ``axis`` times ``matrix`` (M, extent) transposed."""
    axes = [*(i for i in range(x.rank) if i != axis), axis]
    product = fully_connected(ctx, movement.transpose(ctx, x, axes), matrix)
    back = [axes.index(i) for i in range(x.rank)]
    result = movement.transpose(ctx, product, back)
    result.spatial = x.spatial
    return result


def matmul(ctx: Context, a: Value, b: Value) -> Value:
    """As numpy.matmul; one side may be known."""
    if a.rank == 1:
        product = matmul(ctx, movement.unsqueeze(ctx, a, [0]), b)
        return movement.squeeze(ctx, product, [product.rank - 2])
    if b.rank == 1:
        return movement.squeeze(ctx, matmul(ctx, a, movement.unsqueeze(ctx, b, [1])), [-1])
    if a.data is not None and b.data is not None:
        return ctx.constant(a.data @ b.data)
    if b.data is not None and int(np.prod(b.shape[:-2])) == 1:
        product = fully_connected(ctx, a, b.data.reshape(b.shape[-2:]).T)
        return _with_rank(ctx, product, max(a.rank, b.rank))
    if a.data is not None and int(np.prod(a.shape[:-2])) == 1:
        swapped = movement.transpose(ctx, b, _swapped(b.rank))
        product = fully_connected(ctx, swapped, a.data.reshape(a.shape[-2:]))
        product = movement.transpose(ctx, product, _swapped(b.rank))
        return _with_rank(ctx, product, max(a.rank, b.rank))
    return _batched(ctx, a, b)


def _with_rank(ctx: Context, x: Value, rank: int) -> Value:
    return movement.reshape(ctx, x, (1,) * (rank - x.rank) + x.shape)


def _swapped(rank: int) -> list[int]:
    return [*range(rank - 2), rank - 1, rank - 2]


def _batched(ctx: Context, a: Value, b: Value) -> Value:
    rank = max(a.rank, b.rank)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[-1])
    if rank > 5:
        merged = [_merged(ctx, value, batch) for value in (a, b)]
        return movement.reshape(ctx, _batched(ctx, *merged), shape)
    left = ctx.tensor(_with_rank(ctx, a, rank)) if a.data is None else _full(ctx, a, rank)
    right_value = _with_rank(ctx, b, rank)
    stored = (*range(rank - 2), rank - 1, rank - 2)
    adjoint = stored in right_value.forms and identity(rank) not in right_value.forms
    right = ctx.tensor(right_value, stored if adjoint else identity(rank))
    made = ctx.emit("BATCH_MATMUL", [left, right], shape, adjY=adjoint)
    return ctx.computed(made, shape)


def _full(ctx: Context, value: Value, rank: int) -> int:
    assert value.data is not None
    return ctx.draft.constant(value.name, value.data.reshape((1,) * (rank - value.rank) + value.shape))


def _merged(ctx: Context, value: Value, batch: Sequence[int]) -> Value:
    whole = movement.expand(ctx, value, (*batch, *value.shape[-2:]))
    return movement.reshape(ctx, whole, (int(np.prod(batch)), *value.shape[-2:]))


# --- affine functions of what a product gives


_ABSORBS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
"""The axis of the weights along which the outputs' channels lie."""


def absorb(ctx: Context, x: Value, scale: Array | None, shift: Array | None, axis: int) -> bool:
    """Puts x * scale + shift (one number per entry of ``axis``) into the weights that made ``x``.

    Only where nothing else reads ``x``, which the caller knows. Returns whether it was done.
    """
    tensor = x.forms.get(x.natural, -1)
    if len(x.forms) != 1 or x.natural[-1] != axis or ctx.draft.tensors[tensor].quantization is not None:
        return False
    made, extent = ctx.draft.producer(tensor), x.shape[axis]
    while made is not None and made.name == "RESHAPE":
        tensor = made.inputs[0]
        if not ctx.draft.tensors[tensor].shape or ctx.draft.tensors[tensor].shape[-1] != extent:
            return False
        made = ctx.draft.producer(tensor)
    if made is None or made.name not in _ABSORBS or made.fields.get("fusedActivationFunction"):
        return False
    if len(ctx.draft.readers(tensor)) > (tensor != x.forms[x.natural]):
        return False
    weights_at, bias_at = (1, 3) if made.name == "TRANSPOSE_CONV" else (1, 2)
    weights, bias = (ctx.draft.tensors[made.inputs[i]] for i in (weights_at, bias_at))
    assert weights.data is not None and bias.data is not None
    if weights.shape[_ABSORBS[made.name]] != extent:
        return False
    factor = np.ones(extent) if scale is None else np.broadcast_to(scale.astype(np.float64), (extent,))
    offset = np.zeros(extent) if shift is None else np.broadcast_to(shift.astype(np.float64), (extent,))
    along = [1] * weights.data.ndim
    along[_ABSORBS[made.name]] = extent
    scaled = (weights.data.astype(np.float64) * factor.reshape(along)).astype(np.float32)
    moved = (bias.data.astype(np.float64) * factor + offset).astype(np.float32)
    made.inputs[weights_at] = ctx.draft.constant(weights.name, scaled)
    made.inputs[bias_at] = ctx.draft.constant(bias.name, moved)
    return True
