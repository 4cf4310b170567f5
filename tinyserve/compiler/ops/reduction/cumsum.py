# SPDX-License-Identifier: Apache-2.0
"""CUMSUM along one axis. Kernels in ``kernels/cumsum.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.axis import AxisFields, check_computed_axis
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import ratio, requantization
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT8: "s8", DType.FLOAT32: "f32"}
_MORE_BITS = 20  # of the values that are summed


@dataclass(frozen=True)
class CumsumAttributes:
    exclusive: bool = False
    reverse: bool = False


@dataclass(frozen=True)
class SumRescaling(Params):
    """From int8 to sums and back; zeros for types that need none."""

    input_offset: int
    output_offset: int
    input_factor: Factor
    output_factor: Factor


@dataclass(frozen=True)
class CumsumParams(Params, c_type="ts_cumsum_params"):
    """The kernel sets the first three where the axis is computed."""

    outer: int
    extent: int
    inner: int
    exclusive: int
    reverse: int
    rescaling: SumRescaling


@dataclass(frozen=True)
class CumsumAtParams(Params, c_type="ts_cumsum_at_params"):
    sums: CumsumParams
    axis: AxisFields
    elements: int


class Cumsum(OpDef):
    """The running sum along an axis."""

    name = "CUMSUM"
    inputs = ("input", "axis")
    types = _SUFFIX

    def attributes(self, options: Options) -> CumsumAttributes:
        return CumsumAttributes(options.boolean("exclusive"), options.boolean("reverse"))

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, _SUFFIX, "input")
        checks.same_dtype(node, input, output)
        checks.shape(node, output, input.shape, "output")
        if node.input("axis").is_constant:
            _axis(node)
        else:
            check_computed_axis(node)
        if input.dtype is DType.INT8:
            checks.per_tensor(node, input, output)
            sum_rescaling(node, input, output)

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not node.input("axis").is_constant:
            _lower_computed(node, lowering)
            return
        input, output = node.input("input"), node.output
        axis = _axis(node)
        places = math.prod(input.shape[:axis]), input.shape[axis], math.prod(input.shape[axis + 1 :])
        source, target = lowering.operand(input), lowering.buffer(output)
        same_place = [] if source is target else overlaps(source, target, 0)
        add_call(
            node,
            lowering,
            f"ts_cumsum_{_SUFFIX[input.dtype]}",
            "cumsum.h",
            params=_params(node, *places),
            inputs=[source],
            outputs=[target],
            overlaps=[replace(overlap, in_place=True) for overlap in same_place],
        )


def _lower_computed(node: Node, lowering: Lowering) -> None:
    input, axis, output = node.input("input"), node.input("axis"), node.output
    add_call(
        node,
        lowering,
        f"ts_cumsum_{_SUFFIX[input.dtype]}_at",
        "cumsum.h",
        params=CumsumAtParams(_params(node, 0, 0, 0), AxisFields.of(input), output.elements),
        inputs=[lowering.operand(input), lowering.operand(axis)],
        outputs=[lowering.buffer(output)],
    )


def _params(node: Node, outer: int, extent: int, inner: int) -> CumsumParams:
    exclusive, reverse = int(node.attributes.exclusive), int(node.attributes.reverse)
    rescaling = sum_fields(node, node.input("input"), node.output)
    return CumsumParams(outer, extent, inner, exclusive, reverse, rescaling)


def sum_fields(node: Node, input: Tensor, output: Tensor) -> SumRescaling:
    """``sum_rescaling`` for int8, zeros for types that need none."""
    none = SumRescaling(0, 0, Factor(0, 0), Factor(0, 0))
    return sum_rescaling(node, input, output) if input.dtype is DType.INT8 else none


def sum_rescaling(node: Node, input: Tensor, output: Tensor) -> SumRescaling:
    """Offsets, multipliers and shifts of TFLM's int8 sums: inputs are halved, with 20 bits more."""
    twice = 2 * input.scale
    factor = Factor(*requantization(node, ratio(input.scale, twice)))
    final = Factor(*requantization(node, ratio(twice, (1 << _MORE_BITS) * output.scale)))
    if final.shift > 0:
        raise unsupported(
            node,
            f"the input's scale is {input.scale / output.scale:.3g} times the output's",
            "quantize again",
        )
    return SumRescaling(-input.zero_point, output.zero_point, factor, final)


def _axis(node: Node) -> int:
    tensor, rank = node.input("axis"), len(node.input("input").shape)
    checks.dtype(node, tensor, (DType.INT32,), "the axis")
    checks.elements(node, tensor, 1, "the axis")
    axis = int(np.asarray(tensor.data).reshape(-1)[0])
    if not -rank <= axis < rank:
        raise checks.invalid(node, f"axis {axis} of an input with {rank} dimensions")
    return axis % rank


OPS = (Cumsum(),)
