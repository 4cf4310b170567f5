"""FULLY_CONNECTED on RV32M: four channels at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.codegen.program import ParamValue
from tinyserve.graph.types import Operator
from tinyserve.ops import checks
from tinyserve.ops.base import Lowering
from tinyserve.ops.calls import add_call
from tinyserve.ops.fully_connected import row_lead
from tinyserve.ops.overlap import overlaps
from tinyserve.ops.quantize_params import fully_connected_requantization
from tinyserve.variants import Candidate, layers
from tinyserve.variants.rv32m import packing

REASON = "4 channels share the row's loads"


def candidates(op: Operator, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 weights and activations whose accumulators are bounded."""
    input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    if not layers.int8_only(op):
        return []
    assert weights.data is not None
    table = packing.channel_table(
        op, weights.data, fully_connected_requantization(op, input, weights, output)
    )
    if table is None:
        return []
    cost = output.elements * weights.shape[1] * 3.5
    return [Candidate("rv32m", cost, REASON, lambda: _lower(op, lowering, table))]


def _lower(op: Operator, lowering: Lowering, table: npt.NDArray[np.int32]) -> None:
    input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    assert weights.data is not None
    channels, depth = weights.shape
    source, target = lowering.operand(input), lowering.buffer(output)
    params: dict[str, ParamValue] = {
        **packing.layer_constants(op, lowering, packing.blocks(weights.data, 1), table),
        "batches": input.elements // depth,
        "depth": depth,
        "channels": channels,
    }
    add_call(
        op,
        lowering,
        "ts_rv32m_fully_connected_s8",
        "rv32m/fully_connected.h",
        params=params,
        inputs=[source],
        outputs=[target],
        params_type="ts_rv32m_fully_connected_params",
        macs=output.elements * depth,
        variant="rv32m",
        reason=REASON,
        overlaps=overlaps(source, target, row_lead(depth, channels, input, output)),
    )
