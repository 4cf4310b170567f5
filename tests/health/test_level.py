# SPDX-License-Identifier: Apache-2.0
"""Means are known finer than in bins, and shifts that no histogram shows are found by them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.health.devices import Array, counted
from tinyserve.health.channel import LEAST_MOVE, compare
from tinyserve.health.counters import merged
from tinyserve.health.level import Moments, Window, mean_tail, seen_levels
from tinyserve.health.profile import BINS, profile_of
from tinyserve.health.verdict import FALSE_ALARM_RATE, judge

NONE = np.zeros((0, 4), np.int8)


def grey(rng: np.random.Generator, count: int) -> Array:
    """Images of 17 grey levels, which lie at the lower ends of the bins, half of them black."""
    levels = rng.integers(1, 17, (count, 64)) * (rng.random((count, 64)) < rng.uniform(0.3, 0.7, (count, 1)))
    return np.clip(np.round(levels / 16 * 255) - 128, -128, 127).astype(np.int8)


def loud(rng: np.random.Generator, count: int) -> Array:
    """Spectrograms with a level of their own, which differs by a tenth of the range."""
    return np.clip(rng.normal(-20, 25, (count, 1)) + rng.normal(0, 12, (count, 64)), -128, 127).astype(
        np.int8
    )


def shifted(values: Array, codes: int) -> Array:
    return np.clip(values.astype(np.int32) + codes, -128, 127).astype(np.int8)


@pytest.mark.parametrize("codes", [13, -13], ids=["up", "down"])
@pytest.mark.parametrize(("population", "profile"), [(grey, 300), (loud, 1500)], ids=["grey", "loud"])
def test_a_shift_by_five_percent_is_found_in_200_inferences(
    population: Callable[[np.random.Generator, int], Array], profile: int, codes: int
) -> None:
    """Of 47 in 50 seeds. By the histograms alone a tenth of the grey ones were."""
    found = 0
    for seed in range(50):
        rng = np.random.default_rng([seed, profile])
        reference = profile_of(population(rng, profile), NONE)
        verdict = judge(reference, counted(shifted(population(rng, 200), codes)))
        found += verdict.state == "drift"
    assert found >= 47


@pytest.mark.parametrize("population", [grey, loud])
def test_nothing_is_found_where_nothing_has_shifted(
    population: Callable[[np.random.Generator, int], Array],
) -> None:
    for seed in range(50):
        rng = np.random.default_rng([seed, 7])
        reference = profile_of(population(rng, 300), NONE)
        assert judge(reference, counted(population(rng, 200))).state == "ok"


@pytest.mark.parametrize(
    ("size", "channels"),
    [
        (1, 1),
        (3, 1),
        (16, 1),
        (17, 1),
        (64, 1),
        (490, 1),
        (2, 2),
        (4, 4),
        (48, 3),
        (1024, 2),
        (4000, 4),
        (784, 4),
    ],
)
@pytest.mark.parametrize("code", [-128, -127, -113, 7, 126])
def test_the_mean_of_a_constant_is_unbiased_in_every_channel(size: int, channels: int, code: int) -> None:
    """However the places at which codes are picked go with the thresholds that they meet."""
    seen = counted(np.full((512, size // channels, channels), code, np.int8))
    value, place = seen_levels(np.array(seen.codes), np.array(seen.fine))
    assert value * 16 == pytest.approx(np.full(channels, code + 128), abs=0.4)
    assert place * 16 == pytest.approx(np.full(channels, (code + 128) % 16), abs=0.4)


def test_a_mean_is_as_far_off_by_chance_as_its_tail_says() -> None:
    rng = np.random.default_rng(11)
    known = Moments(8.0, 0.5, 4.0)
    window = Window(50, 50 * 16)
    per_input = rng.normal(8.0, np.sqrt(0.5 * (1 - 1 / 16) + 4.0 / 16), (20_000, 50)).mean(axis=1)
    tails = mean_tail(known, 1_000_000, per_input, window)
    for chance in (0.5, 0.1, 0.01):
        assert np.mean(tails < chance) == pytest.approx(chance, rel=0.15)


def test_a_mean_that_never_varied_is_another_as_soon_as_it_differs() -> None:
    known = Moments(8.0, 0.0, 0.0)
    assert list(mean_tail(known, 30, np.array([8.0, 8.5]), Window(40, 40))) == [1.0, 0.0]


def test_a_difference_that_does_not_matter_is_none_however_sure_it_is() -> None:
    rng = np.random.default_rng(12)
    values = loud(rng, 3000)
    reference = profile_of(values, NONE)
    seen = counted(shifted(values, 2))
    many = compare(
        reference.codes[0], 10**9, np.array(seen.codes) * 1000, np.array(seen.fine) * 1000, 3_000_000
    )
    assert 0 < many.moved[0] < LEAST_MOVE
    assert many.p_value[0] > FALSE_ALARM_RATE


def test_readings_of_older_firmware_are_judged_by_their_histograms() -> None:
    rng = np.random.default_rng(13)
    reference = profile_of(loud(rng, 300), NONE)
    new, old = counted(loud(rng, 200)), counted(loud(rng, 100))
    old.fine.clear()
    both = merged([new, old])
    assert both.fine == []
    assert sum(both.codes[0]) == 300 * 16
    assert judge(reference, both).state == "ok"
    assert judge(reference, merged([counted(shifted(loud(rng, 200), 100)), old])).state == "drift"


def test_a_profile_without_levels_is_compared_by_its_histograms() -> None:
    rng = np.random.default_rng(14)
    few = profile_of(loud(rng, 5), NONE)
    assert few.codes[0].level is None
    counts = np.asarray(counted(loud(rng, 200)).codes)
    found = compare(few.codes[0], 5, counts, np.array([100]), 200)
    assert found.p_value.shape == (1,)
    assert abs(found.moved[0]) < 1
    assert counts.shape == (1, BINS)
