# SPDX-License-Identifier: Apache-2.0
"""CUMSUM along one axis. Kernels in ``kernels/cumsum.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.axis import axis_params, check_computed_axis
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import ratio, requantization
from tinyserve.compiler.program import ParamValue

_SUFFIX = {DType.INT8: "s8", DType.FLOAT32: "f32"}
_MORE_BITS = 20  # of the values that are summed


@dataclass(frozen=True)
class CumsumAttributes:
    exclusive: bool = False
    reverse: bool = False


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
        params: dict[str, ParamValue] = {
            "outer": math.prod(input.shape[:axis]),
            "extent": input.shape[axis],
            "inner": math.prod(input.shape[axis + 1 :]),
            **_sum_params(node),
        }
        source, target = lowering.operand(input), lowering.buffer(output)
        same_place = [] if source is target else overlaps(source, target, 0)
        add_call(
            node,
            lowering,
            f"ts_cumsum_{_SUFFIX[input.dtype]}",
            "cumsum.h",
            params=params,
            inputs=[source],
            outputs=[target],
            params_type="ts_cumsum_params",
            overlaps=[replace(overlap, in_place=True) for overlap in same_place],
        )


def _lower_computed(node: Node, lowering: Lowering) -> None:
    input, axis, output = node.input("input"), node.input("axis"), node.output
    params: dict[str, ParamValue] = {f"sums.{field}": value for field, value in _sum_params(node).items()}
    add_call(
        node,
        lowering,
        f"ts_cumsum_{_SUFFIX[input.dtype]}_at",
        "cumsum.h",
        params={**params, **axis_params(input), "elements": output.elements},
        inputs=[lowering.operand(input), lowering.operand(axis)],
        outputs=[lowering.buffer(output)],
        params_type="ts_cumsum_at_params",
    )


_RESCALING_FIELDS = (
    "input_offset",
    "output_offset",
    "input_multiplier",
    "input_shift",
    "output_multiplier",
    "output_shift",
)


def _sum_params(node: Node) -> dict[str, ParamValue]:
    """The fields of ts_cumsum_params that do not depend on the axis."""
    input = node.input("input")
    directions: dict[str, ParamValue] = {
        "exclusive": int(node.attributes.exclusive),
        "reverse": int(node.attributes.reverse),
    }
    return directions | sum_fields(node, input, node.output)


def sum_fields(node: Node, input: Tensor, output: Tensor) -> dict[str, ParamValue]:
    """``sum_rescaling`` for int8, zeros for types that need none."""
    if input.dtype is DType.INT8:
        return sum_rescaling(node, input, output)
    return dict.fromkeys(_RESCALING_FIELDS, 0)


def sum_rescaling(node: Node, input: Tensor, output: Tensor) -> dict[str, ParamValue]:
    """Offsets, multipliers and shifts of TFLM's int8 sums: inputs are halved, with 20 bits more."""
    twice = 2 * input.scale
    multiplier, shift = requantization(node, ratio(input.scale, twice))
    final, final_shift = requantization(node, ratio(twice, (1 << _MORE_BITS) * output.scale))
    if final_shift > 0:
        raise unsupported(
            node,
            f"the input's scale is {input.scale / output.scale:.3g} times the output's",
            "quantize again",
        )
    return {
        "input_offset": -input.zero_point, "output_offset": output.zero_point,
        "input_multiplier": multiplier, "input_shift": shift,
        "output_multiplier": final, "output_shift": final_shift,
    }  # fmt: skip


def _axis(node: Node) -> int:
    tensor, rank = node.input("axis"), len(node.input("input").shape)
    checks.dtype(node, tensor, (DType.INT32,), "the axis")
    checks.elements(node, tensor, 1, "the axis")
    axis = int(np.asarray(tensor.data).reshape(-1)[0])
    if not -rank <= axis < rank:
        raise checks.invalid(node, f"axis {axis} of an input with {rank} dimensions")
    return axis % rank


OPS = (Cumsum(),)
