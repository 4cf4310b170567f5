# SPDX-License-Identifier: Apache-2.0
"""Convolutions and pools: padding as ONNX has it in the two ways that TFLite has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import movement
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.values import Value, channels_last, permuted

Array = npt.NDArray[Any]
SAME, VALID = 0, 1


@dataclass(frozen=True)
class Window:
    """Per spatial axis. ``before`` and ``after`` are numbers of elements that are padded, of which ``beyond``
    are there because the last window does not end within (ceil_mode): averages never count them."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    beyond: tuple[int, ...] = ()

    def axes(self, first: int, last: int) -> Window:
        """Of some of its axes."""
        return Window(*(part[first:last] for part in self.parts()))

    def parts(self) -> tuple[tuple[int, ...], ...]:
        return (self.kernel, self.strides, self.dilations, self.before, self.after, self.beyond)

    def unpadded(self) -> Window:
        """For what has been padded already."""
        zeros = (0,) * len(self.kernel)
        return replace(self, before=zeros, after=zeros, beyond=zeros)

    def reach(self, axis: int) -> int:
        """How many elements a window spans."""
        return (self.kernel[axis] - 1) * self.dilations[axis] + 1

    def outputs(self, extents: Sequence[int]) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        return tuple(
            (extent + self.before[axis] + self.after[axis] - self.reach(axis)) // self.strides[axis] + 1
            for axis, extent in enumerate(extents)
        )

    def is_same(self, extents: Sequence[int]) -> bool:
        """Whether TFLite's SAME pads as this does."""
        for axis, extent in enumerate(extents):
            outputs = -(-extent // self.strides[axis])
            total = max((outputs - 1) * self.strides[axis] + self.reach(axis) - extent, 0)
            if self.outputs(extents)[axis] != outputs or self.before[axis] != total // 2:
                return False
        return True

    def is_valid(self) -> bool:
        return not any((*self.before, *self.after))


@dataclass(frozen=True)
class Filters:
    """``weights`` (M, C / groups, ...), of a transposed convolution (C, M / groups, ...); ``bias`` (M)."""

    weights: Array
    bias: Array | None
    window: Window
    groups: int = 1

    @property
    def stored_bias(self) -> Array:
        outputs = self.weights.shape[0]
        return np.zeros(outputs, np.float32) if self.bias is None else self.bias.astype(np.float32)


def two_axes(window: Window, front: int = 1) -> Window:
    """A window of one spatial axis as one of two, the first of extent 1."""
    if len(window.kernel) == 2:
        return window
    zeros, ones = (0,) * front, (1,) * front
    return Window(
        ones + window.kernel,
        ones + window.strides,
        ones + window.dilations,
        zeros + window.before,
        zeros + window.after,
        zeros + window.beyond,
    )


def as_image(ctx: Context, x: Value) -> Value:
    """(N, C, L) as (N, C, 1, L)."""
    return movement.reshape(ctx, x, (*x.shape[:2], 1, x.shape[2])) if x.rank == 3 else x


def as_before(ctx: Context, y: Value, rank: int) -> Value:
    """The result of ``as_image`` in the rank that it had."""
    y.spatial = True
    if y.rank == rank:
        return y
    back = movement.reshape(ctx, y, (*y.shape[:2], *y.shape[3:]))
    back.spatial, back.nonnegative = True, y.nonnegative
    return back


def padded(ctx: Context, x: Value, window: Window) -> tuple[Value, int]:
    """The image (N, C, H, W), padded with zeros where neither SAME nor VALID says it, and which of these is
    left."""
    if window.is_valid():
        return x, VALID
    if window.is_same(x.shape[2:]):
        return x, SAME
    return movement.pad(ctx, x, (0, 0, *window.before), (0, 0, *window.after)), VALID


def convolve(ctx: Context, x: Value, filters: Filters) -> Value:
    """(N, C, H, W) to (N, M, H', W')."""
    weights, window, groups = filters.weights, filters.window, filters.groups
    extents = window.outputs(x.shape[2:])
    x, padding = padded(ctx, x, window)
    channels, outputs = x.shape[1], weights.shape[0]
    form = channels_last(4)
    depthwise = groups == channels and weights.shape[1] == 1 and groups > 1
    stored = weights.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)).astype(np.float32)
    constants = [
        ctx.draft.constant(f"{ctx.scope}/weights", np.ascontiguousarray(stored)),
        ctx.draft.constant(f"{ctx.scope}/bias", filters.stored_bias),
    ]
    fields = {
        "padding": padding,
        "strideH": window.strides[0],
        "strideW": window.strides[1],
        "dilationHFactor": window.dilations[0],
        "dilationWFactor": window.dilations[1],
    }
    if depthwise:
        fields["depthMultiplier"] = outputs // channels
    name, shape = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", (x.shape[0], outputs, *extents)
    made = ctx.emit(name, [ctx.tensor(x, form), *constants], permuted(shape, form), **fields)
    result = ctx.computed(made, shape, form)
    result.spatial = True
    return result


def pool(ctx: Context, name: str, x: Value, window: Window, padding: int) -> Value:
    """(N, C, H, W), padded before where ``padding`` is VALID."""
    form = channels_last(4)
    extents = window.outputs(x.shape[2:])
    shape = (*x.shape[:2], *extents)
    made = ctx.emit(
        name,
        [ctx.tensor(x, form)],
        permuted(shape, form),
        padding=padding,
        strideH=window.strides[0],
        strideW=window.strides[1],
        filterHeight=window.kernel[0],
        filterWidth=window.kernel[1],
    )
    result = ctx.computed(made, shape, form)
    result.spatial, result.nonnegative = True, x.nonnegative
    return result
