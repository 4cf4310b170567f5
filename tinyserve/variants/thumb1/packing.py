"""Weights and tables as the Armv6-M kernels read them, and the bound of accumulators that they need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.codegen.program import ParamValue
from tinyserve.graph.types import DType, Operator
from tinyserve.ops import checks
from tinyserve.ops.base import Lowering
from tinyserve.ops.quantize_params import Requantization, activation_range
from tinyserve.variants.mve.packing import folded_bias, int8_only

__all__ = ["bound", "channel_table", "folded_bias", "int8_only", "limbs", "needs_exact_ties"]

TAPS = 8
"""Rows of weights are padded to a multiple of this."""
_LIMB_BITS = {3: (10, 10, 11), 4: (8, 8, 8, 7)}
_BOUND = {3: 1 << 20, 4: 1 << 23}


def bound(op: Operator, taps: npt.NDArray[np.int8]) -> int:
    """The largest magnitude that an accumulator without bias folded in, or the requantized sum, can have.

    ``taps`` has the output channels first. Inputs are any int8.
    """
    weights = taps.reshape(taps.shape[0], -1).astype(np.int64)
    largest = np.abs(weights).sum(axis=1) * 128 + np.abs(folded_bias(op, taps).astype(np.int64))
    return int(largest.max(initial=0))


def limbs(op: Operator, taps: npt.NDArray[np.int8], factors: Requantization) -> int | None:
    """Into how many limbs the multipliers must be split; None where the kernels can't requantize."""
    if bool(np.any(factors.shifts > (-1 if needs_exact_ties(op) else 0))):
        return None
    if bool(np.any(factors.shifts < -24)):  # the zero point is shifted left by as much
        return None
    largest = bound(op, taps)
    return next((count for count, limit in _BOUND.items() if largest < limit), None)


def needs_exact_ties(op: Operator) -> bool:
    """Whether a negative tie can be seen: not where all negative results are clamped to the zero point."""
    output = op.outputs[0]
    return output_range(op)[0] < output.zero_point


def output_range(op: Operator) -> tuple[int, int]:
    """The activation's quantized bounds."""
    return activation_range(op, op.attributes.activation, op.outputs[0])


def channel_table(
    op: Operator, taps: npt.NDArray[np.int8], factors: Requantization, count: int
) -> npt.NDArray[np.int32]:
    """``ts_thumb1_channel`` per output channel: bias, four limbs, rounding, shift."""
    channels = taps.shape[0]
    per_channel = factors.per_channel(channels)
    shifts = -per_channel.shifts.astype(np.int64)
    table = np.zeros((channels, 7), dtype=np.int64)
    table[:, 0] = folded_bias(op, taps)
    rest = per_channel.multipliers.astype(np.int64)
    for index, bits in enumerate(_LIMB_BITS[count]):
        table[:, 1 + index] = rest & ((1 << bits) - 1)
        rest = rest >> bits
    half = np.where(shifts > 0, np.left_shift(1, np.maximum(shifts - 1, 0)), 0)
    table[:, 5] = half + op.outputs[0].zero_point * np.left_shift(1, shifts)
    table[:, 6] = shifts
    return table.astype(np.int32).reshape(-1)


def unsigned_rows(taps: npt.NDArray[np.int8], rows: int) -> npt.NDArray[np.uint8]:
    """[channels][taps] as weight + 128, padded with zero weights to ``rows`` and a multiple of 8 taps."""
    channels, count = taps.shape
    padded = np.full((rows, -(-count // TAPS) * TAPS), 128, dtype=np.uint8)
    padded[:channels, :count] = taps.astype(np.int16) + 128
    return padded.reshape(-1)


def layer_constants(
    op: Operator,
    lowering: Lowering,
    packed: npt.NDArray[np.uint8] | npt.NDArray[np.int8],
    table: npt.NDArray[np.int32],
) -> dict[str, ParamValue]:
    """The two constants of a layer."""
    name = checks.required(op, 1).name
    return {
        "weights": lowering.constant(f"{name}_thumb1", packed),
        "requant": lowering.constant(f"{name}_requant", table, "bias, four limbs, rounding, shift"),
    }


def clamp_fields(op: Operator) -> dict[str, ParamValue]:
    """The activation's bounds."""
    low, high = output_range(op)
    return {"activation_min": low, "activation_max": high}


def is_int8(op: Operator) -> bool:
    """int8 output: what all kernels here compute."""
    return op.outputs[0].dtype is DType.INT8
