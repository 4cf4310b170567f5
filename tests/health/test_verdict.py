# SPDX-License-Identifier: Apache-2.0
"""Drift is found, named, and not seen where there is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.health.devices import Array, counted
from tinyserve.health.counters import merged
from tinyserve.health.distance import chi_square_tail, distance
from tinyserve.health.profile import profile_of
from tinyserve.health.verdict import judge


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


def test_a_class_that_comes_more_often_is_named() -> None:
    rng = np.random.default_rng(6)
    reference = profile_of(walk(rng, 400), scores(rng, 400))
    verdict = judge(reference, counted(walk(rng, 200), scores(rng, 200, share=0.6)), ["left", "right"])
    assert [finding.what for finding in verdict.findings] == ["classes"]
    assert verdict.findings[0].words.startswith("left is ")


def test_confidence_that_falls_is_named() -> None:
    rng = np.random.default_rng(7)
    reference = profile_of(walk(rng, 400), scores(rng, 400))
    verdict = judge(reference, counted(walk(rng, 200), scores(rng, 200, sure=10.0)))
    assert [finding.what for finding in verdict.findings] == ["confidence"]
    assert "new class" in verdict.findings[0].words


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
