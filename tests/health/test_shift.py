# SPDX-License-Identifier: Apache-2.0
"""Shifts are found by the shape of histograms, where means are known too badly."""

from __future__ import annotations

import numpy as np
import pytest

from tests.health.devices import Array, counted
from tinyserve.health.channel import LEAST_MOVE
from tinyserve.health.profile import BINS, Profile, profile_of
from tinyserve.health.reach import reach
from tinyserve.health.shift import moved_shares, shares_of, shift_tail, shifts_of
from tinyserve.health.verdict import ALL_CHANNELS, FALSE_ALARM_RATE, judge
from tinyserve.report.text.health import reach_line

NONE = np.zeros((0, 4), np.int8)
RATE = FALSE_ALARM_RATE


def flowers(rng: np.random.Generator, count: int, channels: int = 4) -> Array:
    """Three kinds, whose measures differ by a quarter of the range, and within a kind by a tenth of that."""
    middle = np.array([[-90, 60, -100, -100], [-10, -40, 20, 10], [60, -10, 80, 90]])[:, :channels]
    values = middle[rng.integers(0, 3, count)] + rng.normal(0, 9, (count, channels))
    return np.clip(np.round(values), -128, 127).astype(np.int8)


def shifted(values: Array, codes: int, channel: int | slice = slice(None)) -> Array:
    moved = values.astype(np.int32)
    moved[:, channel] += codes
    return np.clip(moved, -128, 127).astype(np.int8)


@pytest.mark.parametrize("codes", [13, -13], ids=["up", "down"])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_profile_of_75_samples_finds_five_percent_where_clusters_move(channels: int, codes: int) -> None:
    """Of 47 in 50 seeds; by means and histograms alone 4 are found."""
    found = 0
    for seed in range(50):
        rng = np.random.default_rng([seed, channels])
        reference = profile_of(flowers(rng, 75, channels), NONE)
        verdict = judge(reference, counted(shifted(flowers(rng, 200, channels), codes)))
        found += any(f.what == ALL_CHANNELS and "has moved" in f.words for f in verdict.findings)
    assert found >= 47


@pytest.mark.parametrize("samples", [10, 40, 75, 300])
@pytest.mark.parametrize("looks", [30, 200, 1000])
def test_nothing_is_found_where_nothing_has_shifted(samples: int, looks: int) -> None:
    for seed in range(12):
        rng = np.random.default_rng([seed, samples, looks])
        reference = profile_of(flowers(rng, samples), NONE)
        verdict = judge(reference, counted(flowers(rng, looks)))
        assert all(f.what != ALL_CHANNELS for f in verdict.findings)


def test_a_shift_of_one_channel_is_told_from_one_of_all() -> None:
    rng = np.random.default_rng(3)
    reference = profile_of(flowers(rng, 300), NONE)
    found = {f.what for f in judge(reference, counted(shifted(flowers(rng, 200), 20, 2))).findings}
    assert "input 0 channel 2" in found
    assert not found & {"input 0 channel 0", "input 0 channel 1", "input 0 channel 3"}


def tails(reference: Profile, values: Array) -> list[float]:
    counts = np.asarray(counted(values).codes, np.int64)[None]
    known = np.array([one.counts for one in reference.codes])
    return [
        float(shift_tail(shift, known, reference.samples, counts, len(values))[0][0])
        for shift in reference.together
    ]


def test_few_samples_do_not_fit_themselves() -> None:
    """A profile's mean weight is that of other samples: by its own, 20 samples lie far from all others."""
    rng = np.random.default_rng(4)
    low = 0
    for _ in range(100):
        reference = profile_of(flowers(rng, 20), NONE)
        low += sum(tail < 0.02 for tail in tails(reference, flowers(rng, 400)))
    assert low <= 8  # 4 of 200 by chance


def test_codes_that_go_beyond_the_range_stay_at_its_end() -> None:
    up, down = shifts_of(shares_of(np.full((9, 4, 1), 250)))
    assert up.shifted == pytest.approx(up.mean)
    assert down.shifted > down.mean
    assert [len(row) for row in up.weights] == [BINS]


@pytest.mark.parametrize("samples", [40, 75, 300])
def test_the_smallest_shift_that_is_found_is_found(samples: int) -> None:
    """In eight of ten windows or more, where nine were estimated."""
    found = 0
    for seed in range(40):
        rng = np.random.default_rng([seed, samples])
        reference = profile_of(flowers(rng, samples, 1), NONE)
        can_find = reach(reference, RATE)
        assert can_find is not None
        assert can_find.smallest is not None
        assert can_find.smallest >= LEAST_MOVE
        codes = int(np.ceil(can_find.smallest * 256))
        found += judge(reference, counted(shifted(flowers(rng, 200, 1), codes))).state == "drift"
    assert found >= 32


def loud(rng: np.random.Generator, count: int) -> Array:
    return np.clip(rng.normal(-20, 25, (count, 1)) + rng.normal(0, 12, (count, 64)), -128, 127).astype(
        np.int8
    )


def test_what_a_profile_must_be_of_is_enough_once_it_is() -> None:
    rng = np.random.default_rng(6)
    small = reach(profile_of(loud(rng, 100), NONE), RATE)
    assert small is not None
    assert not small.is_enough
    assert small.samples is not None
    assert f"a profile of {small.samples:,} samples would do for 5%" in reach_line(small)
    large = reach(profile_of(loud(rng, 2 * small.samples), NONE), RATE)
    assert large is not None
    assert large.is_enough
    assert reach_line(large).endswith("in 200 inferences (an estimate)")


def test_inputs_that_differ_too_much_ask_for_more_inferences_and_no_profile() -> None:
    rng = np.random.default_rng(7)
    wide = rng.integers(-128, 128, (100, 1)).astype(np.int8)
    reference = profile_of(wide, NONE)
    found = reach(reference, RATE)
    assert found is not None
    assert (found.is_enough, found.samples) == (False, None)
    assert "5% takes more inferences, whatever the profile" in reach_line(found)
    assert reach(profile_of(wide[:5], NONE), RATE) is None
    assert reach(profile_of(np.zeros((9, 4), np.float32), NONE), RATE) is None


def test_weights_say_what_the_shares_become() -> None:
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 200, (30, 8, 2))
    shares = shares_of(codes)
    moved = shares_of(np.minimum(codes + 13, 255)).mean(axis=0).reshape(2, BINS, -1).sum(axis=2)
    up, _ = shifts_of(shares)
    known = shares.mean(axis=0).reshape(2, BINS, -1).sum(axis=2)
    np.testing.assert_allclose(moved_shares(up, known, 30), moved, atol=1e-6)
