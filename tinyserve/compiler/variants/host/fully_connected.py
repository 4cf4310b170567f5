# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED on the host: four rows by up to 64 channels, four products per lane and step."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.host import floats, packing
from tinyserve.compiler.variants.host.conv_2d import REASON


@dataclass(frozen=True)
class HostFullyConnectedParams(Params, c_type="ts_host_fully_connected_params"):
    rows: int
    depth: int
    matmul: packing.HostMatmul


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for layers of int8 or float32."""
    macs = node.output.elements * node.input("weights").shape[1]
    if layers.is_float(node):
        return [
            Candidate("host", macs * 0.1, floats.REASON, lambda: floats.lower_fully_connected(node, lowering))
        ]
    if layers.int8_only(node):
        return [Candidate("host", macs * 0.05, REASON, lambda: _lower(node, lowering))]
    return []


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    channels, depth = weights.shape
    factors = convolution_requantization(node, input, weights, output)
    layer = packing.constants(
        node,
        lowering,
        packing.quads(weights.data[:, None, :]),
        packing.requantization(node, weights.data, factors),
        [0],
    )
    matmul = packing.HostMatmul(1, -(-depth // packing.QUAD), channels, layer)
    add_call(
        node,
        lowering,
        "ts_host_fully_connected_s8",
        "host/fully_connected.h",
        params=HostFullyConnectedParams(input.elements // depth, depth, matmul),
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[packing.scratch(node, lowering, "bytes", input.elements, DType.INT8)],
        macs=output.elements * depth,
        variant="host",
        reason=REASON,
    )
