# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import numpy as np
import pytest

from tinyserve.compiler.variants import blocks


@pytest.mark.parametrize(("channels", "lanes"), [(1, 4), (4, 4), (5, 4), (17, 16), (3, 1)])
def test_channels_stand_side_by_side_and_missing_ones_are_zeros(channels: int, lanes: int) -> None:
    rows = np.arange(1, channels * 3 + 1, dtype=np.int32).reshape(channels, 3)
    packed = blocks.side_by_side(rows, lanes)
    assert packed.shape == (-(-channels // lanes), 3, lanes) and packed.dtype == rows.dtype
    for block, value, lane in itertools.product(*map(range, packed.shape)):
        channel = block * lanes + lane
        assert packed[block, value, lane] == (rows[channel, value] if channel < channels else 0)


@pytest.mark.parametrize(("channels", "values"), [(1, 1), (4, 4), (5, 7), (9, 2)])
@pytest.mark.parametrize("group", [2, 4])
def test_each_lane_has_groups_of_a_run_that_end_in_zeros(channels: int, values: int, group: int) -> None:
    rows = np.arange(1, channels * 2 * values + 1, dtype=np.int8).reshape(channels, 2, values)
    packed = blocks.in_groups(rows, 4, group)
    assert packed.shape == (-(-channels // 4), 2, -(-values // group), 4, group)
    for block, run, step, lane, place in itertools.product(*map(range, packed.shape)):
        channel, value = block * 4 + lane, step * group + place
        expected = rows[channel, run, value] if channel < channels and value < values else 0
        assert packed[block, run, step, lane, place] == expected
