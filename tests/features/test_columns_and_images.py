# SPDX-License-Identifier: Apache-2.0
"""Steps on columns and on images, against Python's calendar and numpy."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from tests.features.specs import CAMERA, CLOCK, spec
from tinyserve.errors import DataError
from tinyserve.features.model import written
from tinyserve.features.run import FeatureRunner

WAVES = ("day", "week", "year")


def test_times_are_those_of_the_calendar() -> None:
    seconds = np.random.default_rng(0).integers(0, 2**31 - 1, (400, 1)).astype(np.int32)
    seconds[:3, 0] = (0, 2**31 - 1, 86_399)
    got = FeatureRunner(spec(CLOCK)).run(seconds)
    table = np.array([[0.5, -1.0], [1.5, 2.0], [0.0, 3.0], [-2.0, 0.25]])
    for row, (second,) in zip(got, seconds.tolist(), strict=True):
        local = datetime.fromtimestamp(second, timezone.utc) + timedelta(hours=2)
        assert row[:4].tolist() == [local.second, local.minute, local.hour, local.weekday()]
        start = datetime(1969, 12, 29, tzinfo=timezone.utc)  # a Monday
        passed = (local - start).total_seconds()
        for place, period in ((4, 86_400), (6, 604_800)):
            angle = 2 * math.pi * (passed % period) / period
            assert row[place : place + 2] == pytest.approx([math.sin(angle), math.cos(angle)], abs=2e-6)
        angle = 2 * math.pi * ((second + 7200) % 31_556_952) / 31_556_952
        assert row[8:10] == pytest.approx([math.sin(angle), math.cos(angle)], abs=2e-6)
        cross = local.weekday() * 24 + local.hour
        assert row[10:].tolist() == table[min(3, cross // 24)].tolist()


def test_seconds_of_a_week_in_floats_are_times_too() -> None:
    text = '[input]\nshape = [2]\n[[steps]]\nkind = "time"\nof = ["weekday", "hour", "minute"]\n'
    x = np.array([[0, 6 * 86_400 + 3 * 3600 + 59.0], [86_399, 86_400]], np.float32)
    got = FeatureRunner(spec(text)).run(x)
    assert got.tolist() == [[0, 6, 0, 3, 0, 0], [0, 1, 23, 0, 59, 0]]


def test_a_cross_numbers_combinations_and_keeps_inside() -> None:
    text = '[input]\nshape = [3]\n[[steps]]\nkind = "cross"\ncolumns = [2, 0]\nsizes = [3, 5]\n'
    x = np.array([[4, 9, 2], [0, 9, 1], [7, 9, -1], [np.nan, 9, 2], [1.7, 9, 99]], np.float32)
    assert FeatureRunner(spec(text)).run(x).reshape(-1).tolist() == [14, 5, 4, 10, 11]


def test_an_embedding_is_a_row_per_value() -> None:
    text = '[input]\nshape = [2]\n[[steps]]\nkind = "embedding"\ntable = [[1, 2, 3], [4, 5, 6]]\n'
    x = np.array([[0, 1], [9, -3], [np.nan, 0.9]], np.float32)
    wanted = [[1, 2, 3, 4, 5, 6], [4, 5, 6, 1, 2, 3], [1, 2, 3, 1, 2, 3]]
    assert FeatureRunner(spec(text)).run(x).tolist() == wanted


def rgb565(frame: np.ndarray) -> np.ndarray:
    word = frame[..., 0].astype(int) << 8 | frame[..., 1]
    five, six = ((word >> 11, word & 31), word >> 5 & 63)
    red, blue = (part << 3 | part >> 2 for part in five)
    return np.stack([red, six << 2 | six >> 4, blue], -1)


def test_a_camera_s_frame_is_cropped_in_grey_and_smaller() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (5, 24, 20, 2)).astype(np.uint8)
    got = FeatureRunner(spec(CAMERA)).run(frames)
    assert got.shape == (5, 6, 9, 2)
    part = rgb565(frames)[:, 4:20, 1:19]
    grey = np.floor(part @ [77, 150, 29] / 256 + 0.5)
    rows, columns = ((np.arange(n) + 0.5) * size / n - 0.5 for n, size in ((6, 16), (9, 18)))
    low, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, across = (rows - low)[:, None], (columns - left)[None, :]
    corner = [[grey[:, low[:, None] + i, left[None, :] + j] for j in (0, 1)] for i in (0, 1)]
    upper, lower = (one[0] * (1 - across) + one[1] * across for one in corner)
    wanted = (upper * (1 - down) + lower * down) / 255
    assert np.abs(got[..., 0] - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("given", "step", "says"),
    [
        ("shape = [8, 8, 3]", 'kind = "crop"\nheight = 9\nwidth = 2', "9 × 2 from"),
        ("shape = [8, 8, 3]", 'kind = "crop"\nheight = 4\nwidth = 4\ntop = 5', "from \\(5, 2\\)"),
        ("shape = [8]", 'kind = "resize"\nheight = 9\nwidth = 2', "no image"),
        ("shape = [8, 8, 2]", 'kind = "grey"', "no RGB"),
        ("shape = [8, 8, 2]", 'kind = "rgb565"', "two bytes per pixel"),
        ('shape = [8, 8, 3]\ntype = "uint8"', 'kind = "rgb565"', "two bytes per pixel"),
        ('shape = [8, 7, 2]\ntype = "uint8"', 'kind = "yuv422"', "even width"),
        ("shape = [2]", 'kind = "cross"\ncolumns = [0, 2]\nsizes = [2, 2]', "column 2 of 2"),
        ("shape = [2]", 'kind = "cross"\ncolumns = [0, 1]\nsizes = [2, 2, 2]', "3 sizes"),
        ("shape = [2]", 'kind = "cross"\ncolumns = [0, 1, 0]\nsizes = [4096, 4096, 2]', "combinations"),
        ("shape = [2]", 'kind = "embedding"\ntable = [[1], [1, 2]]', "differ in length"),
        ("shape = [2]", 'kind = "time"\nof = ["fortnight"]', "no time 'fortnight'"),
        ('shape = [2]\ntype = "int16"', 'kind = "time"\nof = ["hour"]', "seconds in int16"),
    ],
)
def test_steps_that_do_not_fit_are_refused(given: str, step: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        written(spec(f"[input]\n{given}\n[[steps]]\n{step}\n"))
