# SPDX-License-Identifier: Apache-2.0
"""Channels in whole blocks, side by side within them: the order in which vectors and unrolled loops read."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.variants.layers import rounded_up

_Item = TypeVar("_Item", bound=np.generic)


def whole(rows: npt.NDArray[_Item], lanes: int) -> npt.NDArray[_Item]:
    """[channels][...] with zeros for the channels that the last block of ``lanes`` lacks."""
    filled = np.zeros((rounded_up(len(rows), lanes), *rows.shape[1:]), dtype=rows.dtype)
    filled[: len(rows)] = rows
    return filled


def side_by_side(rows: npt.NDArray[_Item], lanes: int) -> npt.NDArray[_Item]:
    """[channels][values] as [blocks][values][lanes]; missing channels are zeros."""
    return np.ascontiguousarray(whole(rows, lanes).reshape(-1, lanes, rows.shape[1]).transpose(0, 2, 1))


def in_groups(rows: npt.NDArray[_Item], lanes: int, group: int) -> npt.NDArray[_Item]:
    """[channels][runs][values] as [blocks][runs][groups of values][lanes][group], padded with zeros."""
    channels, runs, values = rows.shape
    groups = -(-values // group)
    filled = np.zeros((channels, runs, groups * group), dtype=rows.dtype)
    filled[:, :, :values] = rows
    by_block = whole(filled, lanes).reshape(-1, lanes, runs, groups, group)
    return np.ascontiguousarray(by_block.transpose(0, 2, 3, 1, 4))
