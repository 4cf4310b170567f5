# SPDX-License-Identifier: Apache-2.0
"""Weights and tables as the RV32M kernels read them, and the bounds that their requantization needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.biases import folded_bias
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import blocks
from tinyserve.compiler.variants.layers import PackedWeights

CHANNELS = 4
"""TS_RV32M_CHANNELS: output channels that share what is loaded of the inputs."""
RECORD = "bias, multiplier, shift, rounding"
_SHIFTS = (1, 22)  # the zero point is shifted left by as much
_LIMIT = 1 << 29  # magnitude of accumulators, of which the double must fit 32 bits


@dataclass(frozen=True)
class Rv32mChannel(Params, c_type="ts_rv32m_channel"):
    """What brings a sum to the output."""

    bias: int
    multiplier: int
    shift: int
    rounding: int


def channel_table(
    node: Node, taps: npt.NDArray[np.int8], factors: Requantization
) -> npt.NDArray[np.int32] | None:
    """``ts_rv32m_channel`` [channels][4]; None where requantize.h does not take a channel's factor or sums.

    ``taps`` has the output channels first.
    """
    channels = taps.shape[0]
    bias = folded_bias(node, taps).astype(np.int64)
    reach = np.abs(taps.reshape(channels, -1).astype(np.int64)).sum(axis=1) * 128 + np.abs(bias)
    per_channel = factors.per_channel(channels)
    shifts = -per_channel.shifts.astype(np.int64)
    if np.any(shifts < _SHIFTS[0]) or np.any(shifts > _SHIFTS[1]) or np.any(reach >= _LIMIT):
        return None
    rounding = (1 << (shifts - 1)) + (node.output.zero_point << shifts)
    return np.stack([bias, per_channel.multipliers, shifts, rounding], axis=1).astype(np.int32)


def in_blocks(taps: npt.NDArray[np.int8], multiple: int) -> npt.NDArray[np.int8]:
    """[channels][taps] as [blocks of 4 channels][taps][4]; channels and taps beyond are zeros."""
    return blocks.side_by_side(blocks.whole(taps.T, multiple).T, CHANNELS).reshape(-1)


def layer_constants(
    node: Node, lowering: Lowering, packed: npt.NDArray[np.int8], table: npt.NDArray[np.int32]
) -> PackedWeights:
    """The two constants of a layer, its table filled up to whole blocks."""
    name = node.input("weights").name
    return PackedWeights(
        lowering.constant(f"{name}_packed", packed),
        lowering.constant(f"{name}_requant", blocks.whole(table, CHANNELS).reshape(-1), RECORD),
    )
