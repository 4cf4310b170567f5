# SPDX-License-Identifier: Apache-2.0
"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR. Kernels in ``kernels/resize.h``.

Which input pixels an output pixel is made of depends on shapes alone, so it is a table per axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.rows import RowRule, Slab, has_rows, is_line
from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.movement.slice import integers
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import IntArray, lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import round_half_away
from tinyserve.compiler.program import Constant, Params

_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}
_LIMIT = 1 << 15


@dataclass(frozen=True)
class RowsOf:
    """Some rows of an image of ``extent`` rows that becomes one of ``size``: the first that is made, and the
    first that is there."""

    extent: int
    size: int
    first: int
    start: int


@dataclass(frozen=True)
class ResizeAttributes:
    """``part``: which rows of an image the operator makes, where it does not make all."""

    align_corners: bool = False
    half_pixel_centers: bool = False
    part: RowsOf | None = None


@dataclass(frozen=True)
class Axis:
    """The two input positions between which each output position lies, and how far from the first."""

    low: npt.NDArray[np.uint16]
    high: npt.NDArray[np.uint16]
    fraction: npt.NDArray[Any]


@dataclass(frozen=True)
class _Images(Params, c_type="ts_resize_images"):
    batches: int
    input_height: int
    input_width: int
    channels: int
    output_height: int
    output_width: int


@dataclass(frozen=True)
class ResizeNearestParams(Params, c_type="ts_resize_nearest_params"):
    images: _Images
    rows: Constant
    columns: Constant


@dataclass(frozen=True)
class ResizeBilinearParams(Params):
    images: _Images
    low_rows: Constant
    high_rows: Constant
    row_fractions: Constant
    low_columns: Constant
    high_columns: Constant
    column_fractions: Constant


class ResizeBilinearFixedParams(ResizeBilinearParams, c_type="ts_resize_bilinear_fixed_params"):
    """Fractions of 1/1024."""


class ResizeBilinearF32Params(ResizeBilinearParams, c_type="ts_resize_bilinear_f32_params"):
    """Fractions in float32."""


class _Resize(OpDef):
    limits = "a constant size; up to 32768 rows or columns"

    def attributes(self, options: Options) -> ResizeAttributes:
        return ResizeAttributes(*self.flags(options))

    def flags(self, options: Options) -> tuple[bool, bool]:
        """align_corners and half_pixel_centers."""
        return options.boolean("align_corners"), options.boolean("half_pixel_centers")

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, output)
        checks.rank(node, input, 4, "input")
        checks.rank(node, output, 4, "output")
        size = integers(node, "size", "the size", 2)
        checks.shape(node, output, (input.shape[0], *size, input.shape[3]), "output")
        if max(*input.shape[1:3], *size) > _LIMIT:
            raise unsupported(node, f"more than {_LIMIT} rows or columns", "use a smaller image")

    def add(self, node: Node, lowering: Lowering, function: str, params: Params, *, lead: int) -> None:
        """Appends the call of a kernel."""
        source, target = lowering.operand(node.input("input")), lowering.buffer(node.output)
        add_call(
            node,
            lowering,
            function,
            "resize.h",
            params=params,
            inputs=[source],
            outputs=[target],
            overlaps=overlaps(source, target, lead),
        )


def _images(node: Node) -> _Images:
    return _Images(*node.input("input").shape, *node.output.shape[1:3])


def _lead(node: Node, rows: IntArray, columns: IntArray) -> int:
    """The first pixel that an output pixel reads is (rows[y], columns[x])."""
    input, output = node.input("input"), node.output
    images = np.arange(input.shape[0], dtype=np.int64)[:, None, None] * input.shape[1]
    pixels = ((images + rows[:, None]) * input.shape[2] + columns).reshape(-1)
    channels = np.arange(input.shape[3], dtype=np.int64)
    reads = (pixels[:, None] * input.shape[3] + channels).reshape(-1) * input.dtype.itemsize
    ends = np.arange(1, output.elements + 1, dtype=np.int64) * output.dtype.itemsize
    return lead_bytes(reads, ends)


class ResizeNearestNeighbor(_Resize):
    """TFLM's GetNearestNeighbor, in float32."""

    name = "RESIZE_NEAREST_NEIGHBOR"
    inputs = ("input", "size")
    types = (DType.INT8, DType.INT16, DType.FLOAT32)

    def rows(self, node: Node) -> RowRule | None:
        """Where rows are repeated, by a factor whose reciprocal is exact."""
        extent, size = node.input("input").shape[1], node.output.shape[1]
        factor = size // max(1, extent)
        if factor * extent != size or factor & (factor - 1) or not node.input("size").is_constant:
            return None
        if is_line(node):
            return None
        repeated = np.array_equal(nearest(extent, size, node.attributes), np.arange(size) // factor)
        aligned = node.attributes.align_corners
        return RowRule(up=factor) if repeated and not aligned else None

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        rows = nearest(input.shape[1], output.shape[1], node.attributes)
        columns = nearest(input.shape[2], output.shape[2], node.attributes)
        params = ResizeNearestParams(
            images=_images(node),
            rows=lowering.constant(f"{output.name}_rows", rows),
            columns=lowering.constant(f"{output.name}_columns", columns),
        )
        lead = _lead(node, rows.astype(np.int64), columns.astype(np.int64))
        function = f"ts_resize_nearest_{_SUFFIX[input.dtype]}"
        self.add(node, lowering, function, params, lead=lead)


class ResizeBilinear(_Resize):
    """int8 in 10-bit fixed point, float32 in float32: TFLM's reference_ops::ResizeBilinear(Integer). In int16
    TFLM lacks it: LiteRT says what it gives."""

    name = "RESIZE_BILINEAR"
    inputs = ("input", "size")
    types = (DType.INT8, DType.INT16, DType.FLOAT32)

    def check(self, node: Node) -> None:
        super().check(node)
        if node.attributes.align_corners and node.attributes.half_pixel_centers:
            raise unsupported(node, "aligned corners and half-pixel centers at once", "choose one of them")

    def flags(self, options: Options) -> tuple[bool, bool]:
        # Fields 0 and 1 of the schema's table are deprecated sizes.
        return options.boolean("align_corners"), options.boolean("half_pixel_centers")

    def rows(self, node: Node) -> RowRule | None:
        """Where an integer number of rows is made between two, always in the same way but for the edges."""
        extent, size = node.input("input").shape[1], node.output.shape[1]
        if not has_rows(node.input("input")) or not node.input("size").is_constant or size % extent:
            return None
        if is_line(node):
            return None
        axis, factor = _between(node)(extent, size, node.attributes), size // extent
        blocks = np.arange(size, dtype=np.int64) // factor
        low, high = axis.low - blocks, axis.high - blocks
        middle = slice(extent // 2 * factor, (extent // 2 + 1) * factor)
        before, after = -int(low[middle].min()), int(high[middle].max())
        inside = (blocks >= before) & (blocks < extent - after)
        values = np.stack([low, high, axis.fraction], axis=1)[inside].reshape(-1, factor, 3)
        if before < 0 or after < 0 or not values.size or (values != values[:1]).any():
            return None
        if (low < -before).any() or (high > after).any():
            return None
        return RowRule(reach=before + after + 1, pad=before, up=factor)

    def slab_attributes(self, node: Node, slab: Slab) -> ResizeAttributes:
        rule = self.rows(node)
        assert rule is not None
        extent, size = node.input("input").shape[1], node.output.shape[1]
        at_end = slab.below and not slab.above
        first = size - slab.outputs if at_end else (rule.pad - slab.above) * rule.up
        part = RowsOf(extent, size, first, max(0, first // rule.up - rule.pad))
        attributes: ResizeAttributes = node.attributes
        return replace(attributes, part=part)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        is_float = input.dtype is DType.FLOAT32
        between = _between(node)
        rows = _rows_between(node)
        columns = between(input.shape[2], output.shape[2], node.attributes)
        record = ResizeBilinearF32Params if is_float else ResizeBilinearFixedParams
        params = record(
            images=_images(node),
            low_rows=lowering.constant(f"{output.name}_low_rows", rows.low),
            high_rows=lowering.constant(f"{output.name}_high_rows", rows.high),
            row_fractions=lowering.constant(f"{output.name}_rows", rows.fraction),
            low_columns=lowering.constant(f"{output.name}_low_columns", columns.low),
            high_columns=lowering.constant(f"{output.name}_high_columns", columns.high),
            column_fractions=lowering.constant(f"{output.name}_columns", columns.fraction),
        )
        first_rows = np.minimum(rows.low, rows.high).astype(np.int64)
        first_columns = np.minimum(columns.low, columns.high).astype(np.int64)
        lead = _lead(node, first_rows, first_columns)
        function = f"ts_resize_bilinear_{_SUFFIX[input.dtype]}"
        self.add(node, lowering, function, params, lead=lead)


def _between(node: Node) -> Callable[[int, int, ResizeAttributes], Axis]:
    return between_float if node.output.dtype is DType.FLOAT32 else between_fixed


def _rows_between(node: Node) -> Axis:
    """Of the image's rows, or of those that the operator makes."""
    part, between = node.attributes.part, _between(node)
    if part is None:
        return between(node.input("input").shape[1], node.output.shape[1], node.attributes)
    whole = between(part.extent, part.size, node.attributes)
    made = slice(part.first, part.first + node.output.shape[1])
    return Axis(whole.low[made] - part.start, whole.high[made] - part.start, whole.fraction[made])


def nearest(extent: int, size: int, attributes: ResizeAttributes) -> npt.NDArray[np.uint16]:
    """The input position that each of ``size`` output positions copies."""
    one = np.float32(1)
    if attributes.align_corners and size > 1:
        scale = np.float32(extent - 1) / np.float32(size - 1)
    else:
        scale = np.float32(extent) / np.float32(size)
    offset = one / 2 if attributes.half_pixel_centers else np.float32(0)
    positions = []
    for index in range(size):
        place = float((np.float32(index) + offset) * scale)
        position = round_half_away(place) if attributes.align_corners else math.floor(place)
        positions.append(max(0, min(position, extent - 1)))
    return np.array(positions, dtype=np.uint16)


def between_fixed(extent: int, size: int, attributes: ResizeAttributes) -> Axis:
    """Positions in units of 1/1024: ComputeInterpolationValuesInteger."""
    span, steps = (extent - 1, size - 1) if attributes.align_corners and size > 1 else (extent, size)
    scale = (1024 * span + steps // 2) // steps
    values = [
        index * scale + (scale // 2 - 512 if attributes.half_pixel_centers else 0) for index in range(size)
    ]
    # C's division rounds towards zero.
    low = [max(int(value / 1024), 0) for value in values]
    high = [min(int((value + 1023) / 1024), extent - 1) for value in values]
    fraction = [value - 1024 * start for value, start in zip(values, low, strict=True)]
    return _axis(low, high, np.array(fraction, dtype=np.int16), extent)


def between_float(extent: int, size: int, attributes: ResizeAttributes) -> Axis:
    """Positions in float32: ComputeInterpolationValues."""
    if attributes.align_corners and size > 1:
        scale = np.float32(extent - 1) / np.float32(size - 1)
    else:
        scale = np.float32(extent) / np.float32(size)
    half = np.float32(0.5)
    indices = np.arange(size, dtype=np.float32)
    values = (indices + half) * scale - half if attributes.half_pixel_centers else indices * scale
    low = [max(math.floor(value), 0) for value in values]
    high = [min(math.ceil(value), extent - 1) for value in values]
    return _axis(low, high, values - np.array(low, dtype=np.float32), extent)


def _axis(low: list[int], high: list[int], fraction: npt.NDArray[Any], extent: int) -> Axis:
    """Positions stay inside of the image; where TFLM's would not, its fraction makes their weight zero."""
    inside = [min(position, extent - 1) for position in low]
    return Axis(np.array(inside, dtype=np.uint16), np.array(high, dtype=np.uint16), fraction)


OPS = (ResizeNearestNeighbor(), ResizeBilinear())
