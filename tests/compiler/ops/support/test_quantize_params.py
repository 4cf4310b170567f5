# SPDX-License-Identifier: Apache-2.0
"""Requantization parameters: what they stand for, and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.compiler.ops.support.quantize_params import quantize_multiplier, round_half_away


@given(st.floats(2.0**-30, 2.0**30))
def test_multiplier_and_shift_stand_for_the_real_number(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(real, rel=2**-31)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (0.5, (1 << 30, 0)),
        (1.0 - 2**-40, (1 << 30, 1)),  # rounds up to the next power of two
        (2.0**-33, (0, 0)),  # too small: flushed to zero
    ],
)
def test_edges(real: float, expected: tuple[int, int]) -> None:
    assert quantize_multiplier(real) == expected


@given(st.floats(-1e9, 1e9))
def test_rounding_goes_to_the_nearest(value: float) -> None:
    assert abs(round_half_away(value) - value) <= 0.5
    assert round_half_away(-value) == -round_half_away(value)


def test_ties_go_away_from_zero() -> None:
    assert [round_half_away(value) for value in (0.5, 1.5, 2.5, -0.5, -2.5)] == [1, 2, 3, -1, -3]
    assert round_half_away(float(np.nextafter(0.5, 0.0))) == 0
