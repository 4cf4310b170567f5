# SPDX-License-Identifier: Apache-2.0
"""SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK and REVERSE_V2: parts of a tensor, each copied out of its
place. Kernels in ``kernels/strided_copy.h``, for parts that are known at run time in ``kernels/slice.h``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.broadcast import MAX_RANK
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import SUFFIX, Walk, add_copy, dense, dense_strides
from tinyserve.compiler.program import Params

_INDEX_TYPES = (DType.INT32, DType.INT64)


@dataclass(frozen=True)
class Part:
    """A block of the input: origin, extents and steps, per dimension (steps may be negative)."""

    begin: tuple[int, ...]
    extents: tuple[int, ...]
    steps: tuple[int, ...]

    def walk(self, shape: tuple[int, ...]) -> Walk:
        """The block's place in a dense tensor of ``shape``."""
        strides = dense_strides(shape)
        start = sum(begin * stride for begin, stride in zip(self.begin, strides, strict=True))
        return Walk(start, tuple(step * stride for step, stride in zip(self.steps, strides, strict=True)))


@dataclass(frozen=True)
class SliceParams(Params, c_type="ts_slice_params"):
    """Of slices whose places are computed. ``axes``: how many are turned around, of REVERSE_V2."""

    rank: int
    elements: int
    axes: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, input: Tensor, output: Tensor, axes: int = 0) -> SliceParams:
        rank = len(input.shape)
        leading = MAX_RANK - rank
        shape, strides = (1,) * leading + input.shape, (0,) * leading + dense_strides(input.shape)
        return cls(rank, output.elements, axes, shape, strides)


class _Slicing(OpDef):
    """Copies ``parts(node)`` of ``source(node)``, one for each output."""

    def source(self, node: Node) -> Tensor:
        return node.input("input")

    def parts(self, node: Node) -> list[Part]:
        """Raises ModelError for parts outside of the input."""
        raise NotImplementedError

    def check_parts(self, node: Node) -> None:
        """What holds for all: types, rank, and outputs of the parts' size."""
        _check_input(node, self.source(node))
        for part, output in zip(self.parts(node), node.outputs, strict=True):
            checks.elements(node, output, int(np.prod(part.extents, dtype=np.int64)), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input = self.source(node)
        for part, output in zip(self.parts(node), node.outputs, strict=True):
            add_copy(
                node,
                lowering,
                input,
                output,
                shape=part.extents,
                source=part.walk(input.shape),
                target=dense(part.extents),
            )


def _check_input(node: Node, input: Tensor) -> None:
    checks.dtype(node, input, SUFFIX, "input")
    checks.same_dtype(node, input, *node.outputs)
    if len(input.shape) > MAX_RANK:
        raise unsupported(node, f"more than {MAX_RANK} dimensions", "reshape to fewer dimensions")


def _computed(node: Node, *names: str) -> bool:
    """Whether any of these inputs is computed at run time."""
    return any(not node.input(name).is_constant for name in names)


def integers(node: Node, name: str, role: str, count: int | None = None) -> list[int]:
    """The values of the input ``name``, a constant list of integers."""
    tensor = node.input(name)
    checks.constant(node, tensor, role)
    checks.dtype(node, tensor, _INDEX_TYPES, role)
    if count is not None:
        checks.elements(node, tensor, count, role)
    return [int(value) for value in np.asarray(tensor.data).reshape(-1)]


def resolved_axis(node: Node, axis: int, rank: int) -> int:
    """The axis counted from the front."""
    if not -rank <= axis < rank:
        raise checks.invalid(node, f"axis {axis} of {rank} dimensions")
    return axis % rank


class Slice(_Slicing):
    """Begin and size per dimension; a size of -1 reaches to the end."""

    name = "SLICE"
    inputs = ("input", "begin", "size")
    types = SUFFIX
    limits = "up to 6 dimensions"

    def check(self, node: Node) -> None:
        if not _computed(node, "begin", "size"):
            self.check_parts(node)
            return
        input, begin, size = node.operands()
        _check_input(node, input)
        checks.dtype(node, begin, _INDEX_TYPES, "begin")
        checks.same_dtype(node, begin, size)
        for tensor, role in ((begin, "begin"), (size, "size")):
            checks.elements(node, tensor, len(input.shape), role)
        if node.output.elements > input.elements:
            raise checks.invalid(node, f"{node.output.elements} of {input.elements} elements")

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not _computed(node, "begin", "size"):
            super().lower(node, lowering)
            return
        input, begin, size = node.operands()
        kind = "s64" if begin.dtype is DType.INT64 else "s32"
        add_call(
            node,
            lowering,
            f"ts_slice_{SUFFIX[input.dtype]}_at_{kind}",
            "slice.h",
            params=SliceParams.of(input, node.output),
            inputs=[lowering.operand(tensor) for tensor in (input, begin, size)],
            outputs=[lowering.buffer(node.output)],
        )

    def parts(self, node: Node) -> list[Part]:
        shape = self.source(node).shape
        begin = integers(node, "begin", "begin", len(shape))
        sizes = integers(node, "size", "size", len(shape))
        extents = [
            extent - start if size == -1 else size
            for extent, start, size in zip(shape, begin, sizes, strict=True)
        ]
        for extent, start, size in zip(shape, begin, extents, strict=True):
            if start < 0 or size < 1 or start + size > extent:
                raise checks.invalid(
                    node, f"begin {begin} and size {sizes} of an input of shape {list(shape)}"
                )
        return [Part(tuple(begin), tuple(extents), (1,) * len(shape))]


@dataclass(frozen=True)
class StridedSliceAttributes:
    """Bit masks over dimensions."""

    begin_mask: int = 0
    end_mask: int = 0
    ellipsis_mask: int = 0
    new_axis_mask: int = 0
    shrink_axis_mask: int = 0
    offset: bool = False


class StridedSlice(_Slicing):
    """As in Python: begin, end and stride per dimension. New axes and ellipses are for the converter to
    resolve.
    """

    name = "STRIDED_SLICE"
    inputs = ("input", "begin", "end", "strides")
    types = SUFFIX
    limits = "up to 6 dimensions; constant slices without ellipsis, new axis or offset"

    def attributes(self, options: Options) -> StridedSliceAttributes:
        return StridedSliceAttributes(
            begin_mask=options.int32("begin_mask"),
            end_mask=options.int32("end_mask"),
            ellipsis_mask=options.int32("ellipsis_mask"),
            new_axis_mask=options.int32("new_axis_mask"),
            shrink_axis_mask=options.int32("shrink_axis_mask"),
            offset=options.boolean("offset"),
        )

    def check(self, node: Node) -> None:
        attributes: StridedSliceAttributes = node.attributes
        if attributes.ellipsis_mask or attributes.new_axis_mask or attributes.offset:
            raise unsupported(
                node, "ellipses, new axes or offsets", "convert the model again, with a reshape"
            )
        self.check_parts(node)

    def parts(self, node: Node) -> list[Part]:
        shape = self.source(node).shape
        begins = integers(node, "begin", "begin")
        ends = integers(node, "end", "end", len(begins))
        steps = integers(node, "strides", "strides", len(begins))
        if len(begins) > len(shape) or 0 in steps:
            raise checks.invalid(node, f"begin {begins}, strides {steps} of an input of shape {list(shape)}")
        ranges = [self._range(node, axis, begins, ends, steps) for axis in range(len(begins))]
        ranges += [range(extent) for extent in shape[len(begins) :]]
        if not all(ranges):
            raise unsupported(node, "an empty slice", "remove the layer")
        return [
            Part(
                tuple(positions[0] for positions in ranges),
                tuple(len(positions) for positions in ranges),
                tuple(positions.step for positions in ranges),
            )
        ]

    def _range(
        self, node: Node, axis: int, begins: Sequence[int], ends: Sequence[int], steps: Sequence[int]
    ) -> range:
        """The positions along one axis."""
        attributes: StridedSliceAttributes = node.attributes
        extent, bit = self.source(node).shape[axis], 1 << axis
        begin = None if attributes.begin_mask & bit else begins[axis]
        if attributes.shrink_axis_mask & bit:
            position = resolved_axis(node, begins[axis] if begin is not None else 0, extent)
            return range(position, position + 1)
        end = None if attributes.end_mask & bit else ends[axis]
        return range(*slice(begin, end, steps[axis]).indices(extent))


@dataclass(frozen=True)
class SplitAttributes:
    count: int


def _along(node: Node, input: Tensor, axis: int, sizes: list[int]) -> list[Part]:
    """Consecutive parts along an axis."""
    if any(size < 1 for size in sizes) or sum(sizes) != input.shape[axis] or len(sizes) != len(node.outputs):
        raise checks.invalid(
            node, f"parts {sizes} of {input.shape[axis]} along axis {axis} for {len(node.outputs)} outputs"
        )
    parts, begin = [], [0] * len(input.shape)
    for size in sizes:
        extents = (*input.shape[:axis], size, *input.shape[axis + 1 :])
        parts.append(Part(tuple(begin), extents, (1,) * len(input.shape)))
        begin[axis] += size
    return parts


class Split(_Slicing):
    """Equal parts along the axis that the first input holds."""

    name = "SPLIT"
    inputs = ("axis", "input")
    outputs = ("first", "more*")
    types = SUFFIX
    limits = "up to 6 dimensions; a constant axis"

    def attributes(self, options: Options) -> SplitAttributes:
        return SplitAttributes(options.int32("num_splits"))

    def source(self, node: Node) -> Tensor:
        return node.input("input")

    def check(self, node: Node) -> None:
        self.check_parts(node)

    def parts(self, node: Node) -> list[Part]:
        input = self.source(node)
        axis = resolved_axis(node, integers(node, "axis", "the axis", 1)[0], len(input.shape))
        count = len(node.outputs)
        return _along(node, input, axis, [input.shape[axis] // count] * count)


class SplitV(_Slicing):
    """Parts of the sizes and along the axis that inputs hold; one size may be -1: the rest.

    Sizes that are computed are not read: the outputs have them, as in TFLM.
    """

    name = "SPLIT_V"
    inputs = ("input", "sizes", "axis")
    outputs = ("first", "more*")
    types = SUFFIX
    limits = "up to 6 dimensions; a constant axis"

    def attributes(self, options: Options) -> SplitAttributes:
        return SplitAttributes(options.int32("num_splits"))

    def check(self, node: Node) -> None:
        self.check_parts(node)

    def parts(self, node: Node) -> list[Part]:
        input = self.source(node)
        axis = resolved_axis(node, integers(node, "axis", "the axis", 1)[0], len(input.shape))
        if _computed(node, "sizes"):
            return _along(node, input, axis, [_extent(node, output, axis) for output in node.outputs])
        sizes = integers(node, "sizes", "the sizes")
        if sizes.count(-1) == 1:
            sizes[sizes.index(-1)] = input.shape[axis] - sum(sizes) - 1
        return _along(node, input, axis, sizes)


def _extent(node: Node, output: Tensor, axis: int) -> int:
    """Of an output along an axis that it must have."""
    checks.rank(node, output, len(node.input("input").shape), "output")
    return output.shape[axis]


@dataclass(frozen=True)
class UnpackAttributes:
    count: int
    axis: int


class Unpack(_Slicing):
    """One output for each position along an axis."""

    name = "UNPACK"
    outputs = ("first", "more*")
    types = SUFFIX
    limits = "up to 6 dimensions"

    def attributes(self, options: Options) -> UnpackAttributes:
        return UnpackAttributes(options.int32("num"), options.int32("axis"))

    def check(self, node: Node) -> None:
        self.check_parts(node)

    def parts(self, node: Node) -> list[Part]:
        input = self.source(node)
        axis = resolved_axis(node, node.attributes.axis, len(input.shape))
        return _along(node, input, axis, [1] * input.shape[axis])


class ReverseV2(_Slicing):
    """The order along one axis (or several) turned around."""

    name = "REVERSE_V2"
    inputs = ("input", "axis")
    types = SUFFIX
    limits = "up to 6 dimensions"

    def check(self, node: Node) -> None:
        if not _computed(node, "axis"):
            self.check_parts(node)
            return
        input = self.source(node)
        _check_input(node, input)
        checks.dtype(node, node.input("axis"), (DType.INT32,), "the axes")
        checks.shape(node, node.output, input.shape, "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not _computed(node, "axis"):
            super().lower(node, lowering)
            return
        input, axes = self.source(node), node.input("axis")
        add_call(
            node,
            lowering,
            f"ts_reverse_{SUFFIX[input.dtype]}_at",
            "slice.h",
            params=SliceParams.of(input, node.output, axes.elements),
            inputs=[lowering.operand(input), lowering.operand(axes)],
            outputs=[lowering.buffer(node.output)],
        )

    def parts(self, node: Node) -> list[Part]:
        shape = self.source(node).shape
        axes = {resolved_axis(node, axis, len(shape)) for axis in integers(node, "axis", "the axes")}
        begin = tuple(extent - 1 if axis in axes else 0 for axis, extent in enumerate(shape))
        return [Part(begin, shape, tuple(-1 if axis in axes else 1 for axis in range(len(shape))))]


OPS = (Slice(), StridedSlice(), Split(), SplitV(), Unpack(), ReverseV2())
