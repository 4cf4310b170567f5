# SPDX-License-Identifier: Apache-2.0
"""Fused activations that allow less than all of int8: a pass over what kernels wrote that saturate to int8.

Saturating first is no loss: the activation's bounds lie within int8's.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Operator
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.quantize_params import INTEGER_RANGE, activation_range
from tinyserve.compiler.program import KernelCall

INSTRUCTIONS_PER_ELEMENT = 7.0


def is_needed(op: Operator) -> bool:
    """Whether the activation forbids values of int8."""
    return activation_range(op, op.attributes.activation, op.outputs[0]) != INTEGER_RANGE[DType.INT8]


def cost(op: Operator) -> float:
    """Instructions of the pass, 0 where none is needed."""
    return op.outputs[0].elements * INSTRUCTIONS_PER_ELEMENT if is_needed(op) else 0.0


def add_clamp(op: Operator, lowering: Lowering) -> None:
    """Appends the pass where it is needed, after the call that writes the output."""
    if not is_needed(op):
        return
    low, high = activation_range(op, op.attributes.activation, op.outputs[0])
    output = lowering.buffer(op.outputs[0])
    lowering.call(
        KernelCall(
            function="ts_clamp_dsp_s8",
            header="dsp/clamp.h",
            params_type="ts_clamp_dsp_s8_params",
            params={
                "elements": op.outputs[0].elements,
                "activation_min": low,
                "activation_max": high,
            },
            args=[output],
            reads=[output],
            writes=[output],
            layer=op.outputs[0].name,
            op=op.name,
            comment=f"activation {op.attributes.activation.name}: {low} to {high}",
            variant="dsp",
            reason="bounds of the activation",
        )
    )
