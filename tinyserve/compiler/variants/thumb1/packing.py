# SPDX-License-Identifier: Apache-2.0
"""Weights and tables as the Armv6-M kernels read them, and the bound of accumulators that they need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.biases import folded_bias
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.variants.layers import PackedWeights, output_range, rounded_up
from tinyserve.compiler.variants.thumb1.steps import Channel, scaling


def channel_table(
    node: Node, taps: npt.NDArray[np.int8], factors: Requantization
) -> npt.NDArray[np.int32] | None:
    """``ts_thumb1_channel`` of every channel; None where one of them can't be requantized by these kernels.

    ``taps`` has the output channels first.
    """
    weights = taps.reshape(taps.shape[0], -1).astype(np.int64)
    reach = np.abs(weights).sum(axis=1) * 128
    biases = folded_bias(node, taps).astype(np.int64)
    per_channel = factors.per_channel(taps.shape[0])
    low, high = output_range(node)
    zero_point = node.output.zero_point
    rows: list[tuple[int, ...]] = []
    for bias, multiplier, shift, most in zip(
        biases, per_channel.multipliers, per_channel.shifts, reach, strict=True
    ):
        found = scaling(Channel(int(bias), int(multiplier), -int(shift), zero_point, low, high, int(most)))
        if found is None:
            return None
        rows.append(found.words)
    return np.array(rows, dtype=np.int32).reshape(-1)


def unsigned_rows(taps: npt.NDArray[np.int8], rows: int, multiple: int) -> npt.NDArray[np.uint8]:
    """[channels][taps] as weight + 128, padded with zero weights to ``rows`` and a multiple of taps."""
    channels, count = taps.shape
    padded = np.full((rows, rounded_up(count, multiple)), 128, dtype=np.uint8)
    padded[:channels, :count] = taps.astype(np.int16) + 128
    return padded.reshape(-1)


def layer_constants(
    node: Node,
    lowering: Lowering,
    packed: npt.NDArray[np.uint8] | npt.NDArray[np.int8],
    table: npt.NDArray[np.int32],
) -> PackedWeights:
    """The two constants of a layer."""
    name = node.input("weights").name
    return PackedWeights(
        lowering.constant(f"{name}_thumb1", packed),
        lowering.constant(f"{name}_requant", table, "kind, four limbs, offset, shift, bias"),
    )
