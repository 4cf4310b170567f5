# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED with weights of four bits: a convolution of 1x1 whose pixels are the batches."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d_s4 import rows_of_pixels
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.four_bits import rows


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Dot products of rows."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if input.dtype is not DType.INT8:
        return []
    channels, depth = weights.shape
    factors = convolution_requantization(node, input, weights, output)
    shape = rows_of_pixels(input.elements // depth, depth, channels)
    return rows.candidates(rows.Layer(node, shape, factors, output.elements * depth), lowering)
