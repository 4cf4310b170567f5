# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of int16 activations on Helium: patches of 3 pixels times pairs of output channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.variants.sums16 import Kernel

_LANES = 8


def _pack(pairs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """[channels][taps] as [pairs][steps][2][8]."""
    channels, taps = pairs.shape
    vectors = pairs.reshape(channels // 2, 2, taps // _LANES, _LANES)
    return np.ascontiguousarray(vectors.transpose(0, 2, 1, 3))


KERNEL = Kernel(
    "ts_mve_conv_2d_s16", "mve/conv_2d_s16.h", "mve/dots_s16.S", "mve-s16",
    "int16 dot products of 8 lanes, sums of 32 bits", 3, _LANES, 12.0, 11.0, 2.5, _pack,
)  # fmt: skip
