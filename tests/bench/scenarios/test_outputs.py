# SPDX-License-Identifier: Apache-2.0
"""Comparison of outputs: integers by the byte, floats within the stated tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from tinyserve.bench.scenarios.outputs import FLOAT_TOLERANCE, difference


def test_equal_bytes_do_not_differ() -> None:
    wanted = np.array([[1, -2, 3]], dtype=np.int8)
    assert difference([wanted.tobytes()], [wanted]) == ""


def test_one_bit_of_an_integer_is_found_with_its_place() -> None:
    wanted = [np.zeros(4, dtype=np.int8), np.array([1, 2, 3], dtype=np.int8)]
    found = difference([wanted[0].tobytes(), bytes([1, 2, 2])], wanted)
    assert found == "output 1: 1 of 3 bytes differ, the first at 2: 0x02, expected 0x03"


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_another_number_of_bytes_is_said(dtype: type) -> None:
    wanted = np.zeros(2, dtype=dtype)
    assert "bytes, expected" in difference([b"\0"], [wanted])


@pytest.mark.parametrize(("part", "differs"), [(0.9, False), (1.1, True)])
def test_floats_may_be_off_by_the_tolerance_of_the_largest_value(part: float, differs: bool) -> None:
    wanted = np.array([0.0, 10.0], dtype=np.float32)
    got = (wanted + np.array([part * FLOAT_TOLERANCE * 10, 0])).astype(np.float32)
    assert bool(difference([got.tobytes()], [wanted])) == differs


def test_nan_is_a_difference() -> None:
    wanted = np.array([1.0], dtype=np.float32)
    assert difference([np.array([np.nan], dtype=np.float32).tobytes()], [wanted])
