# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB on Helium: four elements at a time."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import Add, Sub
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import activation_range
from tinyserve.compiler.program import ParamValue
from tinyserve.compiler.variants import Candidate

REASON = "four elements at a time"


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 inputs of one shape."""
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    if output.dtype is not DType.INT8 or input1.shape != output.shape or input2.shape != output.shape:
        return []
    return [Candidate("mve", output.elements * 6.0, REASON, lambda: _lower(node, lowering))]


def _lower(node: Node, lowering: Lowering) -> None:
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    low, high = activation_range(node, node.attributes.activation, output)
    definition = Add() if node.name == "ADD" else Sub()
    params: dict[str, ParamValue] = {
        "elements": output.elements,
        "activation_min": low,
        "activation_max": high,
        **definition.quantized_params(node),
        "subtract": node.name == "SUB",
    }
    sources, target = [lowering.operand(input1), lowering.operand(input2)], lowering.buffer(output)
    add_call(
        node,
        lowering,
        "ts_mve_add_s8",
        "mve/add.h",
        params=params,
        inputs=sources,
        outputs=[target],
        params_type="ts_mve_add_params",
        variant="mve",
        reason=REASON,
        overlaps=broadcast_overlaps(node, [input1, input2], sources, target),
    )
