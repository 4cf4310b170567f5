# SPDX-License-Identifier: Apache-2.0
"""Drift is found, named, and not seen where there is none."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from tests.health.devices import Array, counted
from tinyserve.health.channel import LEAST_PSI, clusters
from tinyserve.health.counters import merged
from tinyserve.health.distance import chi_square_tail, distance, distances, weighted_tail
from tinyserve.health.profile import BINS, CODES, bins_of, profile_of
from tinyserve.health.verdict import FALSE_ALARM_RATE, judge
from tinyserve.report.text.health import health_lines


def walk(rng: np.random.Generator, count: int, length: int = 64) -> Array:
    """Three channels of an accelerometer: a level each that differs by sample, and noise around it."""
    middle = np.array([-40.0, 0.0, 50.0]) + rng.normal(0, 8, (count, 1, 3))
    return np.clip(middle + rng.normal(0, 15, (count, length, 3)), -128, 127).astype(np.int8)


def scores(rng: np.random.Generator, count: int, share: float = 0.25, sure: float = 90.0) -> Array:
    """Of four classes; class 0 has ``share``."""
    picked = np.where(rng.random(count) < share, 0, rng.integers(1, 4, count))
    values = np.full((count, 4), -120, np.int8)
    values[np.arange(count), picked] = np.clip(rng.normal(sure, 20, count), -60, 127)
    return values


def stuck(values: Array) -> Array:
    values[..., 1] = 17
    return values


def swapped(values: Array) -> Array:
    return values[..., [1, 0, 2]]


def gained(values: Array) -> Array:
    return np.clip(values.astype(np.int32) * 2 - np.array([-40, 0, 50]), -128, 127).astype(np.int8)


def saturated(values: Array) -> Array:
    return np.clip(values.astype(np.int32) + np.array([0, 0, 70]), -128, 127).astype(np.int8)


def moved(values: Array) -> Array:
    """By five percent of the range."""
    return np.clip(values.astype(np.int32) + 13, -128, 127).astype(np.int8)


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        (stuck, "input 0 channel 1", "is stuck"),
        (swapped, "input 0 channel 0", "is swapped with channel 1"),
        (gained, "input 0 channel 1", "has another gain"),
        (saturated, "input 0 channel 2", "saturates"),
        (moved, "input 0 channel 1", "has moved up by 5%"),
    ],
)
def test_each_kind_of_drift_has_its_words(change: Callable[[Array], Array], what: str, words: str) -> None:
    rng = np.random.default_rng(5)
    reference = profile_of(walk(rng, 400), scores(rng, 400))
    verdict = judge(reference, counted(change(walk(rng, 200)), scores(rng, 200)))
    assert verdict.state == "drift"
    found = {finding.what: finding.words for finding in verdict.findings}
    assert found[what].startswith(words)


def crowded(rng: np.random.Generator, count: int) -> Array:
    """One channel, half of whose values lie at the least code already."""
    return np.clip(rng.normal(-128, 60, (count, 64)), -128, 127).astype(np.int8)


def test_saturation_at_one_end_is_named_where_the_other_is_full_already() -> None:
    rng = np.random.default_rng(15)
    reference = profile_of(crowded(rng, 400), scores(rng, 400))
    changed = np.clip(crowded(rng, 200).astype(np.int32) + 200, -128, 127).astype(np.int8)
    words = judge(reference, counted(changed, scores(rng, 200))).findings[0].words
    assert words.startswith("saturates: ")
    assert "greatest value" in words
    assert "least value" not in words


def test_a_gain_that_also_saturates_is_still_a_gain() -> None:
    rng = np.random.default_rng(16)
    reference = profile_of(walk(rng, 400), scores(rng, 400))
    changed = np.clip(walk(rng, 200).astype(np.int32) * 4, -128, 127).astype(np.int8)
    found = {f.what: f.words for f in judge(reference, counted(changed, scores(rng, 200))).findings}
    assert found["input 0 channel 1"].startswith("has another gain: ")
    assert found["input 0 channel 0"].startswith("has another gain: ")
    assert ", and saturates: " in found["input 0 channel 0"]


def test_channels_are_swapped_by_a_reference_of_few_samples_too() -> None:
    """Whose own chance makes histograms differ by more than what matters."""
    rng = np.random.default_rng(17)
    reference = profile_of(walk(rng, 75, length=1), scores(rng, 75))
    verdict = judge(reference, counted(swapped(walk(rng, 200, length=1)), scores(rng, 200)))
    assert {f.what: f.words for f in verdict.findings} == {
        "input 0 channel 0": "is swapped with channel 1",
        "input 0 channel 1": "is swapped with channel 0",
    }


def test_a_class_that_comes_more_often_is_named() -> None:
    rng = np.random.default_rng(6)
    reference = profile_of(walk(rng, 400), scores(rng, 400))
    verdict = judge(reference, counted(walk(rng, 200), scores(rng, 200, share=0.6)), ["left", "right"])
    assert [f"{finding.what} {finding.words}" for finding in verdict.findings] == [
        "classes differ: left is 62% of the answers, 28% in the reference"
    ]


def test_confidence_that_falls_is_named() -> None:
    rng = np.random.default_rng(7)
    reference = profile_of(walk(rng, 400), scores(rng, 400))
    verdict = judge(reference, counted(walk(rng, 200), scores(rng, 200, sure=10.0)))
    assert [finding.what for finding in verdict.findings] == ["confidence"]
    assert verdict.findings[0].words.startswith("fell from ")
    assert "new class" in verdict.findings[0].words


def test_how_many_inferences_a_verdict_takes_is_said_where_few_of_them_are_looked_at() -> None:
    rng = np.random.default_rng(7)
    reference = profile_of(walk(rng, 400), scores(rng, 400))
    seen = counted(walk(rng, 4), scores(rng, 4))
    for inferences, said in ((4, "30 are needed"), (401, "30 are needed: some 3,008 in all")):
        of_all = msgspec.structs.replace(seen, inferences=inferences, ticks_sum=inferences)
        lines = list(health_lines(of_all, judge(reference, of_all)))
        assert lines[-1] == f"no verdict: 4 inferences were looked at, {said}"


def test_a_shift_of_a_twentieth_of_the_range_is_found_in_200_inferences_of_every_seed() -> None:
    found = 0
    for seed in range(100):
        rng = np.random.default_rng(1000 + seed)
        reference = profile_of(walk(rng, 300), scores(rng, 300))
        found += judge(reference, counted(moved(walk(rng, 200)), scores(rng, 200))).state == "drift"
    assert found == 100


def test_nothing_is_found_where_nothing_has_changed() -> None:
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        reference = profile_of(walk(rng, 300), scores(rng, 300))
        alarms += judge(reference, counted(walk(rng, 200), scores(rng, 200))).state == "drift"
    assert alarms == 0


def test_few_inferences_are_no_verdict() -> None:
    rng = np.random.default_rng(8)
    reference = profile_of(walk(rng, 300), scores(rng, 300))
    assert judge(reference, counted(stuck(walk(rng, 20)), scores(rng, 20))).state == "too few"


def test_counters_of_two_devices_are_those_of_one_that_saw_both() -> None:
    rng = np.random.default_rng(9)
    one, two = counted(walk(rng, 50), scores(rng, 50)), counted(walk(rng, 70), scores(rng, 70))
    both = merged([one, two])
    assert both.inferences == 120
    assert both.codes == [
        [x + y for x, y in zip(a, b, strict=True)] for a, b in zip(one.codes, two.codes, strict=True)
    ]


def loudness(rng: np.random.Generator, count: int) -> Array:
    """Spectrograms whose codes hang together: a level for all of an input's."""
    return np.clip(rng.normal(-20, 25, (count, 1)) + rng.normal(0, 12, (count, 64)), -128, 127).astype(
        np.int8
    )


@pytest.mark.parametrize("is_own", [True, False], ids=["of the population", "of 300 samples"])
def test_codes_that_hang_together_raise_no_alarm_in_tens_of_thousands_of_windows(is_own: bool) -> None:
    """By the mean of their variances alone they raised 4 in 10,000, and 30 where the profile was of few."""
    rng = np.random.default_rng(18)
    inputs = loudness(rng, 500)
    bins = np.sum(np.eye(BINS, dtype=np.int64)[bins_of(inputs[:, :CODES])], axis=1)
    alarms = 0
    for _ in range(20):
        known = profile_of(inputs if is_own else loudness(rng, 300), np.zeros((0, 4), np.int8))
        if not is_own:
            inputs = loudness(rng, 500)
            bins = np.sum(np.eye(BINS, dtype=np.int64)[bins_of(inputs[:, :CODES])], axis=1)
        seen = rng.multinomial(200, np.full(500, 1 / 500), size=1000) @ bins
        apart = distances(known.codes[0].counts, seen, clusters(known.codes[0], known.samples, 200))
        alarms += int(np.sum((apart.p_value < FALSE_ALARM_RATE / 3) & (apart.psi >= LEAST_PSI)))
    assert alarms == 0


def test_each_window_is_judged_as_it_is_alone() -> None:
    rng = np.random.default_rng(19)
    known = profile_of(loudness(rng, 100), np.zeros((0, 4), np.int8))
    together = clusters(known.codes[0], known.samples, 50)
    seen = rng.multinomial(800, np.full(BINS, 1 / BINS), size=20)
    seen[3] = 0
    many = distances(known.codes[0].counts, seen, together)
    for at, row in enumerate(seen):
        alone = distance(known.codes[0].counts, [int(count) for count in row], together)
        assert (alone.psi, alone.p_value) == pytest.approx((many.psi[at], many.p_value[at]), rel=1e-12)


@pytest.mark.parametrize("statistic", [6.0, 20.0, 60.0, 120.0])
def test_the_tail_of_a_weighted_sum(statistic: float) -> None:
    """Two pairs of weights: the sum of two exponential variables, whose tail is known."""
    a, b = 4.0, 1.0
    exact = (a * np.exp(-statistic / (2 * a)) - b * np.exp(-statistic / (2 * b))) / (a - b)
    found = weighted_tail(np.array([statistic]), np.array([[a, a, b, b, 0.0]]))
    assert found[0] == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(
    ("statistic", "degrees", "tail"),
    [(3.841459, 1, 0.05), (18.307038, 10, 0.05), (37.697298, 15, 0.001), (0.5, 15, 1.0), (300.0, 15, 0.0)],
)
def test_the_tail_of_the_chi_square_distribution(statistic: float, degrees: int, tail: float) -> None:
    assert chi_square_tail(statistic, degrees) == pytest.approx(tail, abs=1e-6)


def test_distances_of_equal_and_of_disjoint_histograms() -> None:
    same = distance([100, 200, 300], [10, 20, 30])
    assert (same.psi, same.jensen_shannon, same.p_value) == (
        pytest.approx(0),
        pytest.approx(0),
        pytest.approx(1),
    )
    apart = distance([100, 0], [0, 100])
    assert apart.jensen_shannon == pytest.approx(1)
    assert apart.p_value < 1e-9
