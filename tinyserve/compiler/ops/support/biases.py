# SPDX-License-Identifier: Apache-2.0
"""The bias of a layer, with the input's zero point in it, and what sums with it can come to."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.overlap import IntArray

_Item = TypeVar("_Item", bound=np.generic)


def bias(node: Node, channels: int, dtype: type[_Item]) -> npt.NDArray[_Item]:
    """Zeros where there is none: a sum that starts from +0 is never -0, the only value that +0 changes."""
    tensor = node.optional("bias")
    if tensor is None or tensor.data is None:
        return np.zeros(channels, dtype)
    return np.asarray(tensor.data.reshape(-1), dtype)


def exact_folded_bias(node: Node, taps: npt.NDArray[np.int8]) -> IntArray:
    """The bias with the input's zero point folded in: sum(w * (x - z)) = sum(w * x) - z * sum(w).

    ``taps`` has the output channels first.
    """
    sums = taps.reshape(taps.shape[0], -1).astype(np.int64).sum(axis=1)
    return np.asarray(bias(node, len(sums), np.int64) - node.input("input").zero_point * sums)


def largest_s16_sums(node: Node, taps: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """Of each output channel what no sum over int16 activations, with the bias, exceeds in magnitude.

    ``taps`` has the output channels first. Floats, since a bias may have 64 bits.
    """
    magnitudes = np.abs(taps.reshape(taps.shape[0], -1).astype(np.int64)).sum(axis=1)
    return np.asarray((magnitudes << 15) + np.abs(bias(node, len(magnitudes), np.float64)))


def folded_bias(node: Node, taps: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """``exact_folded_bias``, wrapped around as the kernels' int32 accumulators do."""
    return np.asarray(exact_folded_bias(node, taps) & 0xFFFFFFFF, dtype=np.uint32).view(np.int32)
