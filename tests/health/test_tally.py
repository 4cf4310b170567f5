# SPDX-License-Identifier: Apache-2.0
"""Counting on this computer is a device's."""

from __future__ import annotations

import numpy as np
import pytest

from tests.health.devices import counted
from tinyserve.bundle import TensorInfo
from tinyserve.health.profile import profile_of
from tinyserve.health.tally import Tally
from tinyserve.health.verdict import judge

SCORES = TensorInfo(name="y", dtype="int8", shape=[1, 5], scale=1 / 256, zero_point=-128)


def given(shape: tuple[int, ...], dtype: str = "int8") -> TensorInfo:
    return TensorInfo(name="x", dtype=dtype, shape=[1, *shape], scale=0.1, zero_point=0)


@pytest.mark.parametrize("shape", [(3,), (16,), (64,), (9, 3), (8, 8, 1), (49, 10), (5, 7, 4)])
def test_what_it_counts_is_what_the_rules_of_the_firmware_give(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    inputs = rng.integers(-128, 128, (70, *shape), dtype=np.int8)
    outputs = rng.integers(-128, 128, (70, 5), dtype=np.int8)
    tally = Tally("ab", given(shape), SCORES)
    for one, scores in zip(inputs, outputs, strict=True):
        tally.look(one.tobytes(), scores.tobytes())
    found, expected = tally.counters(), counted(inputs, outputs, "ab")
    for name in ("codes", "fine", "confidence", "classes", "clipped_low", "clipped_high", "looked_at"):
        assert getattr(found, name) == getattr(expected, name), name


def test_large_outputs_are_not_kept() -> None:
    mask = TensorInfo(name="mask", dtype="int8", shape=[1, 64, 64, 1], scale=1.0, zero_point=0)
    tally = Tally("", given((4,)), mask, most=1000)
    tally.look(bytes(4), bytes(64 * 64))
    assert sum(look.output.nbytes for look in tally._looks) == 0
    seen = tally.counters()
    assert (seen.looked_at, seen.confidence, seen.classes) == (1, [], [])


def test_a_window_forgets_what_was_long_ago() -> None:
    tally = Tally("", given((4,)), SCORES, most=10)
    for value in [1] * 25 + [2] * 10:
        tally.look(bytes([value * 16] * 4), bytes(5))
    seen = tally.counters()
    assert seen.looked_at == 10 and tally.seen == 35
    assert seen.codes[0][8 + 2] == 10 and sum(map(sum, seen.codes)) == 40


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float32"])
def test_the_verdict_is_that_of_the_data(dtype: str) -> None:
    """The data that a profile is of is no drift; the same data, moved by a tenth of the range, is."""
    rng = np.random.default_rng(5)
    unit = np.clip(rng.normal(0.5, 0.1, (400, 12, 1)), 0, 0.85)
    scores = rng.integers(-128, 128, (400, 5), dtype=np.int8)

    def coded(values: np.ndarray) -> np.ndarray:
        if dtype == "float32":
            return values.astype(np.float32)
        limits = np.iinfo(dtype)
        return (limits.min + values * (limits.max - limits.min)).astype(dtype)

    reference = profile_of(coded(unit), scores)

    def verdict(values: np.ndarray) -> str:
        tally = Tally("", given((12, 1), dtype), SCORES)
        for one, output in zip(coded(values), scores, strict=True):
            tally.look(one.tobytes(), output.tobytes())
        return judge(reference, tally.counters()).state

    assert verdict(unit) == "ok"
    assert verdict(unit + 0.1) == ("ok" if dtype == "float32" else "drift")  # of floats, scores alone count


def test_a_model_without_scores_has_codes_alone() -> None:
    tally = Tally("", given((4,)), TensorInfo(name="y", dtype="int8", shape=[1, 1]))
    tally.look(bytes(4), bytes(1))
    assert tally.counters().classes == [] and tally.counters().codes
    assert Tally("", given((4,)), SCORES).counters().looked_at == 0
