# SPDX-License-Identifier: Apache-2.0
"""Fused activations that allow less than all of int8: a pass over what kernels wrote that saturate to int8.

Saturating first is no loss: the activation's bounds lie within int8's.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.quantize_params import INTEGER_RANGE, activation_range
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import KernelCall, Params

INSTRUCTIONS_PER_ELEMENT = 7.0


@dataclass(frozen=True)
class ClampParams(Params, c_type="ts_dsp_clamp_s8_params"):
    elements: int
    activation: Clamp


def is_needed(node: Node) -> bool:
    """Whether the activation forbids values of int8."""
    return activation_range(node, node.attributes.activation, node.output) != INTEGER_RANGE[DType.INT8]


def cost(node: Node) -> float:
    """Instructions of the pass, 0 where none is needed."""
    return node.output.elements * INSTRUCTIONS_PER_ELEMENT if is_needed(node) else 0.0


def add_clamp(node: Node, lowering: Lowering) -> None:
    """Appends the pass where it is needed, after the call that writes the output."""
    if not is_needed(node):
        return
    clamp = quantized_clamp(node)
    low, high = clamp.min, clamp.max
    output = lowering.buffer(node.output)
    lowering.call(
        KernelCall(
            function="ts_dsp_clamp_s8",
            header="dsp/clamp.h",
            params=ClampParams(node.output.elements, clamp),
            args=[output],
            reads=[output],
            writes=[output],
            layer=node.output.name,
            op=node.name,
            comment=f"activation {node.attributes.activation.name}: {low} to {high}",
            variant="dsp",
            reason="bounds of the activation",
        )
    )
