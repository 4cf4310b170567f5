# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED on RV32M: four channels at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.fully_connected import Matrix, matrix_of, row_lead
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, blocks, layers
from tinyserve.compiler.variants.rv32m import packing

REASON = "4 channels share the row's loads"


@dataclass(frozen=True)
class Rv32mFullyConnectedParams(Params, c_type="ts_rv32m_fully_connected_params"):
    """``requant_step``: 1 for a record per channel, 0 for one of all."""

    weights: Constant
    bias: Constant
    requant: Constant
    requant_step: int
    activation: Clamp
    matrix: Matrix


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 weights and activations whose accumulators are bounded."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if not layers.int8_only(node):
        return []
    assert weights.data is not None
    factors = convolution_requantization(node, input, weights, output)
    table = packing.channel_table(node, weights.data, factors)
    if table is None:
        return []
    cost = output.elements * weights.shape[1] * 3.5
    return [Candidate("rv32m", cost, REASON, lambda: _lower(node, lowering, table, factors.step))]


def _lower(node: Node, lowering: Lowering, table: npt.NDArray[np.int32], step: int) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    channels, depth = weights.shape
    bias = blocks.whole(table[:, 0], packing.CHANNELS)
    records = table if step else table[:1]
    source, target = lowering.operand(input), lowering.buffer(output)
    params = Rv32mFullyConnectedParams(
        weights=lowering.constant(f"{weights.name}_packed", packing.in_blocks(weights.data, 1)),
        bias=lowering.constant(f"{output.name}_bias", bias),
        requant=lowering.constant(f"{weights.name}_requant", records.reshape(-1), packing.RECORD),
        requant_step=step,
        activation=quantized_clamp(node),
        matrix=matrix_of(node),
    )
    add_call(
        node,
        lowering,
        "ts_rv32m_fully_connected_s8",
        "rv32m/fully_connected.h",
        params=params,
        inputs=[source],
        outputs=[target],
        macs=output.elements * depth,
        variant="rv32m",
        reason=REASON,
        overlaps=overlaps(source, target, row_lead(depth, channels, input, output)),
    )
