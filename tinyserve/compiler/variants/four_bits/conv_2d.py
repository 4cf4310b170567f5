# SPDX-License-Identifier: Apache-2.0
"""CONV_2D, grouped too, with weights of four bits."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_shape
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.four_bits import rows


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Dot products of rows, whatever the window."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if input.dtype is not DType.INT8:
        return []
    factors = convolution_requantization(node, input, weights, output)
    macs = output.elements * weights.elements // weights.shape[0]
    return rows.candidates(rows.Layer(node, conv_shape(node), factors, macs), lowering)
