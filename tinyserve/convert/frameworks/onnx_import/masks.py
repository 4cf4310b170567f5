# SPDX-License-Identifier: Apache-2.0
"""Masks of attention: -inf is added to scores that do not count. In TFLite it is the lowest number, so that
a row whose scores are all hidden has no NaN in it."""

from __future__ import annotations

from collections.abc import Sequence

from tinyserve.convert.frameworks.onnx_import import arithmetic, movement, reduction
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.values import Permutation, Value

_HIDDEN = -1e30
"""Scores from here down are hidden ones."""


def scores_of(ctx: Context, shares: Value) -> tuple[int, Permutation] | None:
    """Where the value is a SOFTMAX's result: the tensor that it reads, and the form of both."""
    for form, tensor in shares.forms.items():
        producer = ctx.draft.producer(tensor)
        if producer is not None and producer.name == "SOFTMAX":
            return producer.inputs[0], form
    return None


def can_hide_all(ctx: Context, tensor: int) -> bool:
    """Whether all scores of a row may be hidden: not where finite numbers and a known mask are added that
    leaves one in each row."""
    made = ctx.draft.tensors[tensor]
    if made.data is not None:
        return made.hides and bool((made.data.max(axis=-1) <= _HIDDEN).any())
    producer = ctx.draft.producer(tensor)
    if producer is None:
        return False
    if producer.name in ("ADD", "RESHAPE", "TRANSPOSE"):
        return any(can_hide_all(ctx, index) for index in producer.inputs)
    return any(ctx.draft.tensors[index].hides for index in producer.inputs)


def hides_all(ctx: Context, tensor: int, form: Permutation, shape: Sequence[int]) -> Value:
    """Per score, whether all of its row are hidden: bool, in the shape of the shares."""
    value = ctx.computed(tensor, shape, form)
    largest = reduction.reduce(ctx, "REDUCE_MAX", value, [form[-1]], True)
    wide = movement.expand(ctx, largest, shape)
    return arithmetic.binary(ctx, "LESS", wide, ctx.scalar(_HIDDEN))
