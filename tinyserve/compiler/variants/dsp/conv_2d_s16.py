# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of int16 activations with SMLAD: patches of 4 pixels times pairs of output channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.variants.sums16 import Kernel


def _pack(pairs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """[channels][taps] as [pairs][steps] of A0 B0 A1 B1."""
    channels, taps = pairs.shape
    return np.ascontiguousarray(pairs.reshape(channels // 2, 2, taps).transpose(0, 2, 1))


KERNEL = Kernel(
    "ts_dsp_conv_2d_s16", "dsp/conv_2d_s16.h", "dsp/dots_s16.S", "dsp-s16",
    "SMLAD on two taps of 4 pixels x 2 channels, sums of 32 bits", 4, 2, 13.75, 18.0, 3.3, _pack,
)  # fmt: skip
