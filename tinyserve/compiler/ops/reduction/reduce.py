# SPDX-License-Identifier: Apache-2.0
"""MEAN, SUM and REDUCE_MAX, _MIN, _ALL and _ANY over any axes. Kernels in ``kernels/reduce.h``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.rows import GATHERED, RowRule, Share, has_rows, row_axis
from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.reduction import running
from tinyserve.compiler.ops.reduction.running import ReduceShape
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.axis import AxisFields
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import INTEGER_RANGE, ratio, requantization
from tinyserve.compiler.ops.support.records import Clamp, Factor
from tinyserve.compiler.program import Params

_MAX_RANK = 6
_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32", DType.BOOL: "b8"}


@dataclass(frozen=True)
class ReduceAttributes:
    """``share`` says which of the rows these are, where they are taken in one after the other."""

    keep_dims: bool = False
    share: Share | None = None


_COMPUTED = ReduceShape(*((0,) * 3,) * 4)


@dataclass(frozen=True)
class ReduceParams(Params, c_type="ts_reduce_params"):
    shape: ReduceShape


@dataclass(frozen=True)
class ReduceSumParams(Params, c_type="ts_reduce_sum_params"):
    shape: ReduceShape
    sum_offset: int
    factor: Factor
    output_offset: int


@dataclass(frozen=True)
class ReduceSumF32Params(Params, c_type="ts_reduce_sum_f32_params"):
    shape: ReduceShape
    divisor: float


@dataclass(frozen=True)
class ReduceAxes(Params, c_type="ts_reduce_axes"):
    axis: AxisFields
    axes: int
    outputs: int


@dataclass(frozen=True)
class ReduceAtParams(Params, c_type="ts_reduce_at_params"):
    reduction: ReduceParams
    axes: ReduceAxes


@dataclass(frozen=True)
class ReduceSumAtParams(Params, c_type="ts_reduce_sum_at_params"):
    reduction: ReduceSumParams
    axes: ReduceAxes


@dataclass(frozen=True)
class ReduceSumF32AtParams(Params, c_type="ts_reduce_sum_f32_at_params"):
    reduction: ReduceSumF32Params
    axes: ReduceAxes


AnyReduce = ReduceParams | ReduceSumParams | ReduceSumF32Params


@dataclass(frozen=True)
class Reduction:
    """The input as kept and reduced dimensions, each (extents, strides), merged to three at most."""

    kept: tuple[tuple[int, ...], tuple[int, ...]]
    reduced: tuple[tuple[int, ...], tuple[int, ...]]
    count: int

    def fields(self) -> ReduceShape:
        return ReduceShape(*self.kept, *self.reduced)


class _Reduce(OpDef):
    """``axis`` holds the axes. Sub-classes say what happens to the values."""

    inputs = ("input", "axis")
    types: Collection[DType] = (DType.INT8, DType.FLOAT32)
    limits = "up to 6 dimensions"

    def attributes(self, options: Options) -> ReduceAttributes:
        return ReduceAttributes(options.boolean("keep_dims"))

    def check(self, node: Node) -> None:
        input, axes, output = node.input("input"), node.input("axis"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, output)
        checks.dtype(node, axes, (DType.INT32,), "the list of axes")
        if len(input.shape) > _MAX_RANK:
            raise unsupported(node, f"more than {_MAX_RANK} dimensions", "reshape to fewer dimensions")
        if axes.is_constant:
            checks.elements(node, output, input.elements // reduction_of(node).count, "output")
        elif input.elements % output.elements:
            raise checks.invalid(node, f"{output.elements} outputs of {input.elements} values")
        if input.dtype in (DType.INT8, DType.INT16):
            self.check_quantized(node)

    def check_quantized(self, node: Node) -> None:
        """Raises UnsupportedError for scales that the kernel does not take."""
        checks.same_quantization(node, node.input("input"), node.output)

    def function(self, node: Node) -> str:
        """The kernel for constant axes."""
        return f"ts_{self.name.lower()}_{_SUFFIX[node.output.dtype]}"

    def params(self, node: Node, dimensions: ReduceShape, count: int) -> AnyReduce:
        """Its parameters; ``count`` values make one output."""
        return ReduceParams(dimensions)

    step: str = ""
    """The kernel that takes in rows that come one after the other, where there is one."""

    def rows(self, node: Node) -> RowRule | None:
        """Where rows are what is reduced, alone or with others."""
        if not (self.step and node.input("axis").is_constant and has_rows(node.input("input"))):
            return None
        axis = row_axis(node.input("input"))
        return GATHERED if axis in reduced_axes(node) and self.finish(node, 1) is not None else None

    def share_attributes(self, node: Node, share: Share) -> ReduceAttributes:
        attributes = node.attributes
        assert isinstance(attributes, ReduceAttributes)
        return replace(attributes, share=share)

    def finish(self, node: Node, count: int) -> running.Finish | None:
        """What makes the output of what was kept of ``count`` values; None where nothing does."""
        return None

    def _lower_share(self, node: Node, lowering: Lowering) -> None:
        share, input = node.attributes.share, node.input("input")
        count = _count(node) * share.height // input.shape[share.axis]
        finish = self.finish(node, count)
        assert finish is not None
        running.lower(self.taken(node), finish, lowering)

    def taken(self, node: Node) -> running.Rows:
        """The rows that a share of the operator takes in."""
        return running.Rows(node, node.attributes.share, reduction_of(node).fields(), self.step)

    def lower(self, node: Node, lowering: Lowering) -> None:
        if node.attributes.share is not None:
            self._lower_share(node, lowering)
            return
        if lowering.lower_variant("reduce", node):
            return
        if not node.input("axis").is_constant:
            self._lower_computed(node, lowering)
            return
        reduction = reduction_of(node)
        source, target = lowering.operand(node.input("input")), lowering.buffer(node.output)
        add_call(
            node,
            lowering,
            self.function(node),
            "reduce.h",
            params=self.params(node, reduction.fields(), reduction.count),
            inputs=[source],
            outputs=[target],
            overlaps=overlaps(source, target, _lead(reduction, node)),
        )

    def _lower_computed(self, node: Node, lowering: Lowering) -> None:
        input, axes, output = node.input("input"), node.input("axis"), node.output
        of_axes = ReduceAxes(AxisFields.of(input), axes.elements, output.elements)
        add_call(
            node,
            lowering,
            f"{self.function(node)}_at",
            "reduce.h",
            params=_at(self.params(node, _COMPUTED, _count(node)), of_axes),
            inputs=[lowering.operand(input), lowering.operand(axes)],
            outputs=[lowering.buffer(output)],
        )


def _at(reduction: AnyReduce, axes: ReduceAxes) -> Params:
    if isinstance(reduction, ReduceSumParams):
        return ReduceSumAtParams(reduction, axes)
    if isinstance(reduction, ReduceSumF32Params):
        return ReduceSumF32AtParams(reduction, axes)
    return ReduceAtParams(reduction, axes)


class Mean(_Reduce):
    """TFLM's QuantizedMeanOrSum: the mean's division is part of the multiplier."""

    name = "MEAN"
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    step = "sum"

    def kept_between(self, node: Node) -> Tensor:
        return running.sums_of(node, _count(node))

    def finish(self, node: Node, count: int) -> running.Finish:
        outputs = node.output.elements
        params = self.params(node, _COMPUTED, count)
        if isinstance(params, ReduceSumF32Params):
            return running.Finish("divide", running.RunningDivideF32Params(outputs, params.divisor))
        assert isinstance(params, ReduceSumParams)
        scale = running.RunningScaleParams(outputs, params.sum_offset, params.output_offset, params.factor)
        return running.Finish("scale", scale)

    def check_quantized(self, node: Node) -> None:
        checks.per_tensor(node, node.input("input"), node.output)
        self.factor(node, _count(node))

    def function(self, node: Node) -> str:
        return f"ts_reduce_sum_{_SUFFIX[node.output.dtype]}"

    def params(self, node: Node, dimensions: ReduceShape, count: int) -> AnyReduce:
        input, output = node.input("input"), node.output
        if output.dtype is DType.FLOAT32:
            return ReduceSumF32Params(dimensions, float(count) if self.name == "MEAN" else 1.0)
        factor = Factor(*self.factor(node, count))
        return ReduceSumParams(dimensions, -input.zero_point * count, factor, output.zero_point)

    def factor(self, node: Node, count: int) -> tuple[int, int]:
        """Multiplier and shift from a sum of ``count`` values to the output."""
        input, output = node.input("input"), node.output
        multiplier, shift = requantization(node, ratio(input.scale, output.scale))
        if self.name == "MEAN":
            bits = min(count.bit_length() - 1, 32, 31 + shift)
            multiplier, shift = (multiplier << bits) // count, shift - bits
        return multiplier, shift


class Sum(Mean):
    name = "SUM"


class ReduceMax(_Reduce):
    """In int16 TFLM lacks it: LiteRT says what it gives. REDUCE_MIN likewise."""

    name = "REDUCE_MAX"
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    step = "max"

    def kept_between(self, node: Node) -> Tensor:
        return running.greatest_of(node)

    def finish(self, node: Node, count: int) -> running.Finish | None:
        """Integers alone: bounds would change an infinity."""
        if node.output.dtype not in INTEGER_RANGE:
            return None
        bounds = Clamp(*INTEGER_RANGE[node.output.dtype])
        return running.Finish("clamp", running.RunningClampParams(node.output.elements, bounds))


class ReduceMin(ReduceMax):
    name = "REDUCE_MIN"
    step = "min"


class ReduceAll(_Reduce):
    name = "REDUCE_ALL"
    types = (DType.BOOL,)


class ReduceAny(_Reduce):
    """TFLM lacks it: LiteRT says what it gives."""

    name = "REDUCE_ANY"
    types = (DType.BOOL,)


def _count(node: Node) -> int:
    """How many values make one output."""
    return node.input("input").elements // node.output.elements


def reduced_axes(node: Node) -> tuple[int, ...]:
    """The axes of a constant list, sorted, each once. Raises ModelError outside the input's rank."""
    rank = len(node.input("input").shape)
    data = node.input("axis").data
    axes = {int(axis) for axis in np.asarray(data).reshape(-1)}
    if any(not -rank <= axis < rank for axis in axes):
        raise checks.invalid(node, f"axes {sorted(axes)} of an input with {rank} dimensions")
    return tuple(sorted({axis % rank for axis in axes}))


def reduction_of(node: Node) -> Reduction:
    """What the operator reduces."""
    shape, axes = node.input("input").shape, reduced_axes(node)
    strides = np.cumprod((1, *shape[:0:-1]))[::-1].tolist() if shape else []
    groups: list[tuple[bool, int, int]] = []  # is reduced, extent, stride; outermost first
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        is_reduced = axis in axes
        if groups and groups[-1][0] == is_reduced:
            groups[-1] = (is_reduced, groups[-1][1] * extent, strides[axis])
        else:
            groups.append((is_reduced, extent, strides[axis]))
    count = int(np.prod([shape[axis] for axis in axes], dtype=np.int64))
    return Reduction(_padded(groups, False), _padded(groups, True), count)


def _padded(groups: list[tuple[bool, int, int]], reduced: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    chosen = [(extent, stride) for kind, extent, stride in groups if kind is reduced]
    chosen = [(1, 0)] * (3 - len(chosen)) + chosen
    return tuple(extent for extent, _ in chosen), tuple(stride for _, stride in chosen)


def _lead(reduction: Reduction, node: Node) -> int:
    input, output = node.input("input"), node.output
    starts = np.zeros(1, dtype=np.int64)
    for extent, stride in zip(*reduction.kept, strict=True):
        starts = (starts[:, None] + np.arange(extent, dtype=np.int64) * stride).reshape(-1)
    ends = np.arange(1, output.elements + 1, dtype=np.int64)
    return lead_bytes(starts * input.dtype.itemsize, ends * output.dtype.itemsize)


OPS = (Mean(), Sum(), ReduceMax(), ReduceMin(), ReduceAll(), ReduceAny())
