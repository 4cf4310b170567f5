# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB on Helium: four elements at a time."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Operator
from tinyserve.compiler.ops.elementwise.add import Add, Sub
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import activation_range
from tinyserve.compiler.program import ParamValue
from tinyserve.compiler.variants import Candidate

REASON = "four elements at a time"


def candidates(op: Operator, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 inputs of one shape."""
    input1, input2, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    if output.dtype is not DType.INT8 or input1.shape != output.shape or input2.shape != output.shape:
        return []
    return [Candidate("mve", output.elements * 6.0, REASON, lambda: _lower(op, lowering))]


def _lower(op: Operator, lowering: Lowering) -> None:
    input1, input2, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    low, high = activation_range(op, op.attributes.activation, output)
    operator = Add() if op.name == "ADD" else Sub()
    params: dict[str, ParamValue] = {
        "elements": output.elements,
        "activation_min": low,
        "activation_max": high,
        **operator.quantized_params(op),
        "subtract": op.name == "SUB",
    }
    sources, target = [lowering.operand(input1), lowering.operand(input2)], lowering.buffer(output)
    add_call(
        op,
        lowering,
        "ts_mve_add_s8",
        "mve/add.h",
        params=params,
        inputs=sources,
        outputs=[target],
        params_type="ts_mve_add_params",
        variant="mve",
        reason=REASON,
        overlaps=broadcast_overlaps(op, [input1, input2], sources, target),
    )
