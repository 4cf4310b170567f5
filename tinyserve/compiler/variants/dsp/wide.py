# SPDX-License-Identifier: Apache-2.0
"""Widened and scaled weights for ``kernels/dsp/matmul_wide.S``: twice the flash, cheaper outputs."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.variants.dsp import packing, scaling
from tinyserve.compiler.variants.dsp.packing import Ints

_SHIFT = 12  # in matmul_wide.S


def matmul(node: Node, steps: Ints, bias: Ints, factors: Requantization) -> packing.Matmul | None:
    """Records of pairs, or None where the output can be below its zero point or a channel has no scaled form.

    ``steps``: [channels][steps][2] weights; ``bias``: folded.
    """
    channels, zero_point = len(steps), node.output.zero_point
    if channels < 2 or zero_point != -128:
        return None
    multipliers, shifts = packing.settle(factors, channels, packing.accumulator_bounds(steps, bias))
    words = np.zeros((channels, steps.shape[1]), dtype=np.int64)
    values = np.zeros((channels, 3), dtype=np.int64)
    for channel in range(channels):
        form = scaling.scaled(
            steps[channel].reshape(-1),
            int(bias[channel]),
            int(multipliers[channel]),
            int(shifts[channel]),
            total_shift=_SHIFT,
            relu=True,
        )
        if form is None:
            return None
        halves = (steps[channel] << form.exponent if form.multiplier else steps[channel] * 0) & 0xFFFF
        words[channel] = halves[:, 0] | halves[:, 1] << 16
        values[channel] = form.bias, form.multiplier, scaling.constant(form.exponent, zero_point, _SHIFT)
    both = packing.in_pairs(channels)
    first, second = both[0::2], both[1::2]
    interleaved = np.stack([words[first], words[second]], axis=2).reshape(len(first), -1)
    records = np.concatenate(
        [
            values[first, :1], values[second, :1], interleaved,
            values[first, 1:], values[second, 1:],
        ],
        axis=1,
    )  # fmt: skip
    return packing.Matmul(
        packing.unsigned(records), steps.shape[1], channels % 2 == 1, 2 * zero_point + 1,
        "wide_s8", "matmul_wide.S", "dsp-wide", 13.75, 40.0,
    )  # fmt: skip
