"""Scenarios on real devices: LoadGen on this computer, simulation for an emulated board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.test_cell import make_cell
from tinyserve.bench import cell, loadgen
from tinyserve.bench.result import Scenario
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
    found = cell.run(one, silent).scenario
    assert found
    assert (found.name, found.method) == (name, "loadgen")
    assert found.queries > 0
    assert found.value > 0
    assert found.queue
    assert found.compute
    assert found.compute.median > 0


def test_an_emulated_board_is_simulated_from_its_estimate(classifier: Bundle, tmp_path: Path) -> None:
    one = replace(make_cell(classifier, tmp_path, "nano33"), scenario="offline")
    result = cell.run(one, silent)
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
        cell.run(one, silent)
