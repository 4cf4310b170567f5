# SPDX-License-Identifier: Apache-2.0
"""Scenarios on real devices: LoadGen on this computer, simulation for an emulated board."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.bench.matrix.test_execute import make_cell
from tinyserve.bench.matrix import execute
from tinyserve.bench.result import Scenario
from tinyserve.bench.scenarios import loadgen
from tinyserve.bundle import Bundle
from tinyserve.errors import UsageError
from tinyserve.progress import silent


@pytest.mark.parametrize("name", ["offline", "server", "multi-stream"])
def test_this_computer_runs_scenarios_under_loadgen(
    classifier: Bundle, tmp_path: Path, name: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlperf_loadgen")
    monkeypatch.setattr(loadgen, "SEARCH_MS", 60)
    monkeypatch.setattr(loadgen, "FINAL_MS", 100)
    bound = None if name == "offline" else 100.0
    one = replace(make_cell(classifier, tmp_path, "host"), scenario=name, latency_bound_ms=bound)
    found = execute.run(one, silent).scenario
    assert found
    assert (found.name, found.method) == (name, "loadgen")
    assert found.queries > 0
    assert found.value > 0
    assert found.queue
    assert found.compute
    assert found.compute.median > 0


@pytest.fixture(scope="module")
def slow_model() -> loadgen._Generator:
    """A generator around a model that takes about 2 ms."""
    pytest.importorskip("mlperf_loadgen")

    class Slow:
        def run(self, inputs: object) -> None:
            time.sleep(0.002)

    return loadgen._Generator(Slow(), [np.zeros((4, 1), np.int8)], 0)  # type: ignore[arg-type]


def test_latency_is_queue_plus_compute_time_and_an_overloaded_server_queues(
    slow_model: loadgen._Generator,
) -> None:
    bound = {"server_target_latency_ns": 10**9, "server_target_latency_percentile": 0.99}
    idle = slow_model.test("Server", 100, server_target_qps=20.0, **bound).served
    busy = slow_model.test("Server", 100, server_target_qps=5000.0, **bound).served
    for served in (idle, busy):
        assert min(served.queue_us) >= 0
        assert min(served.compute_us) >= 2000
    assert max(busy.queue_us) > 10 * 2000


def test_a_query_of_several_samples_counts_once_and_waits_for_its_last(
    slow_model: loadgen._Generator,
) -> None:
    served = slow_model.test("MultiStream", 50, multi_stream_samples_per_query=4).served
    assert min(served.queue_us) >= 3 * 2000
    assert min(served.latency_us) >= 4 * 2000


@pytest.mark.parametrize("name", ["server", "multi-stream"])
def test_a_bound_below_the_compute_time_is_kept_by_no_load_and_said(
    slow_model: loadgen._Generator, name: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loadgen, "SEARCH_MS", 60)
    monkeypatch.setattr(loadgen, "FINAL_MS", 100)
    search = {"server": loadgen._server, "multi-stream": loadgen._multi_stream}[name]
    found = search(slow_model, 1000.0)
    assert (found.value, found.valid) == (0, False)
    assert "no load that was tried keeps the bound" in found.note


def test_an_emulated_board_is_simulated_from_its_estimate(classifier: Bundle, tmp_path: Path) -> None:
    one = replace(make_cell(classifier, tmp_path, "nano33"), scenario="offline")
    result = execute.run(one, silent)
    assert result.scenario
    assert result.scenario.method == "simulated"
    assert "upper end of an estimate" in result.scenario.note
    assert result.latency_ms
    assert result.scenario.value == pytest.approx(1000 / result.latency_ms.high)


def test_a_core_without_a_cycle_model_has_no_time_to_simulate_with(
    classifier: Bundle, tmp_path: Path
) -> None:
    one = replace(make_cell(classifier, tmp_path, "rv32imc"), scenario="offline")
    with pytest.raises(UsageError, match="no cycle model of rv32imc in unicorn"):
        execute.run(one, silent)
