# SPDX-License-Identifier: Apache-2.0
"""`tinyserve energy`, and `bench --energy`, with a trace file as the meter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.energy.test_analysis import pulses
from tests.bench.models import write_classifier
from tinyserve.bench.energy import trace as traces
from tinyserve.cli.main import main


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    traces.save(pulses(count=4), path)
    return path


def test_show_gives_the_energy_of_a_trace(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["energy", "show", str(recorded), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["inferences"] == 4
    assert found["per_inference_uj"] == pytest.approx((8000 - 50) * 3.0 * 200e-6)
    assert main(["energy", "show", str(recorded)]) == 0
    assert "4.77 µJ" in capsys.readouterr().out


def test_record_writes_a_trace_that_show_reads(recorded: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    assert main(["energy", "record", "--meter", f"file:{recorded}", "-o", str(copy), "--seconds", "0.1"]) == 0
    assert main(["energy", "show", str(copy)]) == 0


def test_bench_reports_what_the_meter_measured(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write_classifier(tmp_path / "shapes.tflite")
    command = [
        "bench",
        str(source),
        "--board",
        "cortex-m4",
        "--energy",
        f"file:{recorded}",
        "--json",
        "bench.json",
    ]
    assert main(command) == 0
    (result,) = json.loads(Path("bench.json").read_text(encoding="utf-8"))["results"]
    assert result["energy"]["inferences"] == 4
    assert result["energy"]["trace"]["windows"]


def test_one_meter_cannot_measure_a_matrix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "x.tflite", "--board", "cortex-m4", "--board", "cortex-m3", "--energy", "ppk2"]
    assert main(command) == 2
    assert "--energy takes one cell, and there are 2" in capsys.readouterr().err
