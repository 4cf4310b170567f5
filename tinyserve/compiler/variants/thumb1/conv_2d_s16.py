# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of int16 activations on Armv6-M: patches of 5 pixels, widened to words, times a channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.variants.sums16 import Kernel


def _pack(pairs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Weight + 128, for unsigned loads."""
    return (pairs.astype(np.int16) + 128).astype(np.uint8).view(np.int8)


KERNEL = Kernel(
    "ts_thumb1_conv_2d_s16", "thumb1/conv_2d_s16.h", "thumb1/dots5.S", "thumb1-s16",
    "five pixels share each weight, sums of 32 bits", 5, 4, 112.0, 20.0, 8.0, _pack, patch_bytes=4,
)  # fmt: skip
