# SPDX-License-Identifier: Apache-2.0
"""The simulated scenarios against queueing theory and against what must hold for any latencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.bench.scenarios import simulation
from tinyserve.errors import UsageError

latency_lists = st.lists(st.floats(1, 1e5), min_size=1, max_size=20)


def test_the_mean_wait_is_that_of_an_m_d_1_queue() -> None:
    load = 0.6  # Pollaczek-Khinchine with constant service s: mean wait = load * s / (2 * (1 - load))
    served = simulation.poisson_queue([1000.0], load * 1000, 200_000, seed=3)
    mean = sum(served.queue_us) / len(served.queue_us)
    assert mean == pytest.approx(load * 1000 / (2 * (1 - load)), rel=0.03)


@given(latency_lists, st.integers(0, 5))
def test_offline_throughput_lies_between_the_slowest_and_the_fastest(
    latencies: list[float], seed: int
) -> None:
    value = simulation.run("offline", latencies, None, seed).value
    assert 1e6 / max(latencies) * 0.999 <= value <= 1e6 / min(latencies) * 1.001


def test_offline_samples_wait_for_each_other() -> None:
    found = simulation.run("offline", [10.0], None, 0)
    assert found.queue and found.latency
    assert found.queue.maximum == 10 * (simulation.QUERIES - 1)
    assert found.latency.maximum == 10 * simulation.QUERIES


def test_streams_of_a_constant_latency_fill_the_bound_exactly() -> None:
    assert simulation.run("multi-stream", [100.0], 1999.0, 0).value == 19
    assert simulation.run("multi-stream", [100.0], 2000.5, 0).value == 20


def test_the_server_rate_keeps_the_bound_and_a_little_more_does_not() -> None:
    latencies = [900.0, 1000.0, 1500.0]
    rate = simulation.run("server", latencies, 8000.0, 1).value
    assert simulation.poisson_queue(latencies, rate, simulation.QUERIES, 1).tail_us <= 8000
    assert simulation.poisson_queue(latencies, rate * 1.01, simulation.QUERIES, 1).tail_us > 8000


def test_a_bound_below_the_latency_holds_no_load_and_is_said() -> None:
    for name in ("server", "multi-stream"):
        found = simulation.run(name, [1000.0], 900.0, 0)  # type: ignore[arg-type]
        assert (found.value, found.valid) == (0, False)
        assert "no load that was tried keeps the bound" in found.note


def test_every_simulated_result_is_labelled_and_repeats_with_its_seed() -> None:
    first, second, other = (simulation.run("server", [10.0, 20.0], 200.0, seed) for seed in (1, 1, 2))
    assert first.method == "simulated"
    assert "not measured" in first.note
    assert first == second != other


def test_server_and_multi_stream_need_a_bound() -> None:
    for name in ("server", "multi-stream"):
        with pytest.raises(UsageError, match="latency bound"):
            simulation.run(name, [1.0], None, 0)  # type: ignore[arg-type]


@given(latency_lists, st.integers(0, 3))
def test_latency_is_queue_plus_compute(latencies: list[float], seed: int) -> None:
    served = simulation.poisson_queue(latencies, 1e6 / max(latencies) / 2, 50, seed)
    assert all(wait >= 0 for wait in served.queue_us)
    assert served.latency_us == [a + b for a, b in zip(served.queue_us, served.compute_us, strict=True)]
