# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED on Armv6-M: the row widened to words, two channels at a time."""

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
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, dots, layers
from tinyserve.compiler.variants.thumb1 import packing

Ints = npt.NDArray[np.int32]
TAPS = 8
_WIDENING = 6.0  # instructions per input
REASON = "inputs widened to words for LDM, two channels share them"


@dataclass(frozen=True)
class Thumb1FullyConnectedParams(Params, c_type="ts_thumb1_fully_connected_params"):
    packed: layers.PackedWeights
    matrix: Matrix
    activation: Clamp


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Rows of weights as they are; for int8 with accumulators of a small bound, packed rows, too."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    found = dots.fully_connected(node, lowering, dots.THUMB1)
    if not layers.int8_only(node):
        return found
    assert weights.data is not None
    factors = convolution_requantization(node, input, weights, output)
    table = packing.channel_table(node, weights.data, factors)
    if table is not None:
        channels, depth = weights.shape
        pairs = -(-channels // 2)
        cost = input.elements * _WIDENING + input.elements // depth * pairs * (2 * depth * 3.2 + 70)
        found.append(Candidate("thumb1", cost, REASON, lambda: _lower(node, lowering, table)))
    return found


def _lower(node: Node, lowering: Lowering, table: Ints) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    channels, depth = weights.shape
    size = f"TS_THUMB1_FC_SCRATCH_BYTES({depth})"
    row = lowering.scratch(f"{output.name}_row", 4 * layers.rounded_up(depth, TAPS), size=size)
    source, target = lowering.operand(input), lowering.buffer(output)
    rows = packing.unsigned_rows(weights.data, channels + channels % 2, TAPS)
    params = Thumb1FullyConnectedParams(
        packing.layer_constants(node, lowering, rows, table), matrix_of(node), quantized_clamp(node)
    )
    add_call(
        node,
        lowering,
        "ts_thumb1_fully_connected_s8",
        "thumb1/fully_connected.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[row],
        macs=output.elements * depth,
        variant="thumb1",
        reason=REASON,
        sources=("thumb1/dots2.S",),
        overlaps=overlaps(source, target, row_lead(depth, channels, input, output)),
    )
