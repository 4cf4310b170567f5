# SPDX-License-Identifier: Apache-2.0
"""A stream that lost bytes gives samples that were sent, or none: never another current."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.bench.energy.ppk2_stream import align


def stream(count: int, seed: int = 0) -> np.ndarray:
    """Words with counters that go on, and a current and logic inputs that change."""
    rng = np.random.default_rng(seed)
    adc, scale = rng.integers(0, 1 << 14, count), rng.integers(0, 5, count)
    counter, logic = np.arange(count) & 63, rng.integers(0, 256, count)
    return (adc | scale << 14 | counter << 18 | logic << 24).astype("<u4")


def check(data: bytes, sent: np.ndarray, damages: int) -> None:
    found = align(data)
    shift = int(np.flatnonzero(sent[:64] == found.words[0])[0])
    places = found.place + shift
    assert (sent[places] == found.words).all()
    assert len(found.words) >= len(sent) - 32 * damages


def test_a_whole_stream_is_taken_as_it_is() -> None:
    sent = stream(1000)
    found = align(sent.tobytes())
    assert (found.words == sent).all()
    assert (found.lost, found.torn) == (0, 0)


def test_lost_samples_leave_a_gap() -> None:
    sent = stream(1000)
    found = align(np.delete(sent, range(500, 537)).tobytes())
    assert (found.lost, found.torn) == (43, 0)
    assert (sent[found.place] == found.words).all()


@given(
    at=st.lists(st.integers(200, 3999), min_size=1, max_size=6),
    kind=st.sampled_from(["lost", "inserted"]),
    byte=st.integers(0, 255),
    seed=st.integers(0, 99),
)
def test_bytes_that_are_lost_or_come_between_cost_samples_and_change_none(
    at: list[int], kind: str, byte: int, seed: int
) -> None:
    sent = stream(1000, seed)
    data = bytearray(sent.tobytes())
    for place in sorted(set(at), reverse=True):
        if kind == "lost":
            del data[place]
        else:
            data.insert(place, byte)
    check(bytes(data), sent, len(set(at)) + 1)


@given(st.binary(max_size=300))
def test_no_bytes_are_an_error(data: bytes) -> None:
    found = align(data)
    assert len(found.words) == len(found.place) <= len(data) // 4
    assert (np.diff(found.place) > 0).all()
