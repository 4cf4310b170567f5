# SPDX-License-Identifier: Apache-2.0
"""Weights and tables in the order in which the Helium kernels read them (see kernels/mve/matmul.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import blocks
from tinyserve.compiler.variants.layers import PackedWeights, output_range

LANES = 16


@dataclass(frozen=True)
class MveOutput(Params, c_type="ts_mve_output"):
    """What results are moved by, and clamped to."""

    zero_point: int
    activation: Clamp

    @classmethod
    def of(cls, node: Node) -> MveOutput:
        return cls(node.output.zero_point, quantized_clamp(node))


def interleaved(weights: npt.NDArray[np.int8], channels: int) -> npt.NDArray[np.int8]:
    """Rows [outputs][depth] as ``channels`` at a time, 16 bytes of each in turn, padded with zeros."""
    return blocks.in_groups(weights[:, None], channels, LANES).reshape(-1)


def requantization_table(bias: npt.NDArray[np.int32], factors: Requantization) -> npt.NDArray[np.int32]:
    """For every four channels: four biases, four multipliers, four negated right shifts."""
    every = factors.per_channel(len(bias))
    rows = np.stack([bias, every.multipliers, every.shifts.astype(np.int32)], axis=1)
    return blocks.side_by_side(rows, 4)


def needs_exact_ties(node: Node) -> bool:
    """Whether a negative tie can be seen: not where all negative results are clamped to the zero point."""
    output: Tensor = node.output
    return output_range(node)[0] < output.zero_point


def rounding_applies(node: Node, factors: Requantization) -> bool:
    """VRSHL takes right shifts; the correction of ties needs at least one bit to be shifted out."""
    return bool(np.all(factors.shifts <= (-1 if needs_exact_ties(node) else 0)))


def weight_constants(
    node: Node, lowering: Lowering, packed: npt.NDArray[np.int8], table: npt.NDArray[np.int32]
) -> PackedWeights:
    """The two constants of a layer."""
    name = node.input("weights").name
    return PackedWeights(
        lowering.constant(f"{name}_mve", packed, "in the order of kernels/mve/matmul.h"),
        lowering.constant(f"{name}_requant", table.reshape(-1), "bias, multiplier, shift, by fours"),
    )
