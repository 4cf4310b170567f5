# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB on Helium: four elements at a time."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import Add, Sub, SumScaling
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate

REASON = "four elements at a time"


@dataclass(frozen=True)
class MveAddParams(Params, c_type="ts_mve_add_params"):
    elements: int
    activation: Clamp
    scaling: SumScaling
    subtract: bool


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 inputs of one shape."""
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    if output.dtype is not DType.INT8 or input1.shape != output.shape or input2.shape != output.shape:
        return []
    return [Candidate("mve", output.elements * 6.0, REASON, lambda: _lower(node, lowering))]


def _lower(node: Node, lowering: Lowering) -> None:
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    definition = Add() if node.name == "ADD" else Sub()
    params = MveAddParams(
        output.elements, quantized_clamp(node), definition.scaling(node), node.name == "SUB"
    )
    sources, target = [lowering.operand(input1), lowering.operand(input2)], lowering.buffer(output)
    add_call(
        node,
        lowering,
        "ts_mve_add_s8",
        "mve/add.h",
        params=params,
        inputs=sources,
        outputs=[target],
        variant="mve",
        reason=REASON,
        overlaps=broadcast_overlaps(node, [input1, input2], sources, target),
    )
