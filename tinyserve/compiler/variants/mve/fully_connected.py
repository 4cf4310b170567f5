# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED on Helium: four channels of VMLADAV at a time."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.fully_connected import Matrix, matrix_of, row_lead
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, dots, layers
from tinyserve.compiler.variants.mve import packing

REASON = "int8 dot products of 16 lanes, four channels at a time"


@dataclass(frozen=True)
class MveFullyConnectedParams(Params, c_type="ts_mve_fully_connected_params"):
    packed: layers.PackedWeights
    matrix: Matrix
    output: packing.MveOutput


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Rows of weights as they are; also groups of four for int8 activations whose factors are below one."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    found = dots.fully_connected(node, lowering, dots.MVE)
    if not layers.int8_only(node):
        return found
    if not packing.rounding_applies(node, convolution_requantization(node, input, weights, output)):
        return found
    return [*found, Candidate("mve", _cost(node), REASON, lambda: _lower(node, lowering))]


def _cost(node: Node) -> float:
    """Instructions: of four channels a vector of taps and the requantization, of a row its start and copy."""
    matrix = matrix_of(node)
    vectors, groups = -(-matrix.depth // packing.LANES), -(-matrix.channels // 4)
    copy = 4.0 * vectors if matrix.depth % packing.LANES else 0.0
    return 30.0 + matrix.batches * (groups * (14.0 * vectors + 35) + copy + 30)


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    channels, depth = weights.shape
    factors = convolution_requantization(node, input, weights, output)
    table = packing.requantization_table(biases.folded_bias(node, weights.data), factors)
    padded = -(-depth // packing.LANES) * packing.LANES
    size = f"TS_MVE_FULLY_CONNECTED_SCRATCH_BYTES({depth})"
    row = lowering.scratch(f"{output.name}_row", padded, size=size) if padded != depth else None
    source, target = lowering.operand(input), lowering.buffer(output)
    params = MveFullyConnectedParams(
        packing.weight_constants(node, lowering, packing.interleaved(weights.data, 4), table),
        matrix_of(node),
        packing.MveOutput.of(node),
    )
    ties = "_ties" if packing.needs_exact_ties(node) else ""
    add_call(
        node,
        lowering,
        f"ts_mve_fully_connected_s8{ties}",
        "mve/fully_connected.h",
        params=params,
        inputs=[source],
        outputs=[target],
        scratch=[row],
        macs=output.elements * depth,
        variant="mve",
        reason=REASON,
        overlaps=overlaps(source, target, row_lead(depth, channels, input, output)),
    )
