# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB on Armv6-M: what each input contributes comes from a table of 256 words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import Add, Sub, SumScaling
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.fixed_point import requantize
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate

REASON = "scaled inputs looked up in two tables of 1 KB"


@dataclass(frozen=True)
class Thumb1AddParams(Params, c_type="ts_thumb1_add_params"):
    """Both inputs' tables; halves of the multiplier; ``ties``: -1 where negative sums are rounded down."""

    scaled1: Constant
    scaled2: Constant
    elements: int
    multiplier_high: int
    multiplier_low: int
    rounding: int
    ties: int
    shift: int
    activation: Clamp


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 inputs of one shape."""
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    if output.dtype is not DType.INT8 or input1.shape != output.shape or input2.shape != output.shape:
        return []
    return [Candidate("thumb1", output.elements * 45.0, REASON, lambda: _lower(node, lowering))]


def _lower(node: Node, lowering: Lowering) -> None:
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    definition = Add() if node.name == "ADD" else Sub()
    scaling = definition.scaling(node)
    multiplier, shift = scaling.output_factor.multiplier, -scaling.output_factor.shift
    sign = -1 if node.name == "SUB" else 1
    half = (1 << (shift - 1)) if shift > 0 else 0
    params = Thumb1AddParams(
        scaled1=lowering.constant(f"{output.name}_scaled1", _scaled(scaling, 1)),
        scaled2=lowering.constant(f"{output.name}_scaled2", sign * _scaled(scaling, 2)),
        elements=output.elements,
        multiplier_high=multiplier >> 16,
        multiplier_low=multiplier & 0xFFFF,
        rounding=half + (output.zero_point << shift),
        ties=-1 if shift > 0 else 0,
        shift=shift,
        activation=quantized_clamp(node),
    )
    sources, target = [lowering.operand(input1), lowering.operand(input2)], lowering.buffer(output)
    add_call(
        node,
        lowering,
        "ts_thumb1_add_s8",
        "thumb1/add.h",
        params=params,
        inputs=sources,
        outputs=[target],
        variant="thumb1",
        reason=REASON,
        overlaps=broadcast_overlaps(node, [input1, input2], sources, target),
    )


def _scaled(scaling: SumScaling, number: int) -> npt.NDArray[np.int32]:
    """What TFLM computes of each int8 value of one input before the sum."""
    offset = scaling.offset1 if number == 1 else scaling.offset2
    factor = scaling.factor1 if number == 1 else scaling.factor2
    values = [
        requantize((value + offset) << scaling.left_shift, factor.multiplier, factor.shift)
        for value in range(-128, 128)
    ]
    return np.array(values, dtype=np.int32)
