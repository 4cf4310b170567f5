# SPDX-License-Identifier: Apache-2.0
"""Layers whose weights of four bits are unpacked by blocks of channels, row by row, for dot products."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear import conv_2d_s4
from tinyserve.compiler.ops.linear.conv_2d_s4 import ConvShape, Tiling
from tinyserve.compiler.ops.support import four_bits
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.variants import Candidate, dots

_UNPACKED = 1.3
"""Instructions per weight that is unpacked."""
_GATHERED = 1.0
"""Per input that is copied to scratch."""


@dataclass(frozen=True)
class Layer:
    """A layer as kernels of four bits see it: its shape, its factors and its products."""

    node: Node
    shape: ConvShape
    factors: Requantization
    macs: int


def candidates(layer: Layer, lowering: Lowering) -> list[Candidate]:
    """For int8 activations, one for each instruction set of the target that has dot products of rows."""
    weights = layer.node.input("weights").data
    if weights is None or not four_bits.fits(weights):
        return []
    every = (dots.DSP, dots.THUMB1, dots.MVE)
    return [_candidate(layer, lowering, one) for one in every if one.feature in lowering.target.features]


def _candidate(layer: Layer, lowering: Lowering, one: dots.Dots) -> Candidate:
    kernel = Kernel(
        f"ts_{one.feature}_conv_2d_dots_s4",
        f"{one.feature}/conv_2d_s4.h",
        f"{one.variant}-4bit",
        f"{one.reason}; weights of four bits, unpacked by rows",
    )

    def lower() -> None:
        conv_2d_s4.add(
            layer.node, lowering, layer.shape, layer.factors, kernel,
            macs=layer.macs, sources=(f"{one.feature}/dots.S",),
        )  # fmt: skip

    return Candidate(kernel.variant, _cost(layer.shape, one), kernel.reason, lower)


def _cost(shape: ConvShape, one: dots.Dots) -> float:
    """Instructions of one inference."""
    tiling, pixels = Tiling.of(shape), shape.window.pixels
    groups = shape.output_channels // max(1, shape.filters_per_group)
    products = pixels * groups * one.cost(shape.filters_per_group, tiling.depth)
    unpacked = -(-pixels // tiling.pixels) * shape.output_channels * tiling.depth * _UNPACKED
    gathered = pixels * groups * tiling.depth * _GATHERED if tiling.gathers else 0.0
    return products + unpacked + gathered
