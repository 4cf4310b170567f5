# SPDX-License-Identifier: Apache-2.0
"""Autotuning: every variant is counted, the choice is never worse, and files of others are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from tests.bench.models import write_classifier
from tinyserve import boards, workflow
from tinyserve.bench.counts import tuning
from tinyserve.bench.counts.tuning import TunedLayer, Tuning
from tinyserve.cli.main import main
from tinyserve.compiler.program import Choice
from tinyserve.errors import DataError


def silent(stage: str, done: int = 0, total: int = 0) -> None:
    """No progress is shown."""


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    write_classifier(tmp_path / "shapes.tflite")
    return tmp_path


def made_up(sha256: str) -> Tuning:
    layers = [TunedLayer(layer="edges", variant="portable", ticks={"dsp": 9, "portable": 8})]
    return Tuning(
        model_sha256=sha256, board="cortex-m4", core="cortex-m4", optimize="balanced", unit="instructions",
        default_ticks=9, tuned_ticks=8, layers=layers,
    )  # fmt: skip


def test_tuning_counts_every_variant_and_keeps_the_cheapest(workshop: Path) -> None:
    made = workflow.to_bundle(Path("shapes.tflite"), workflow.Conversion(), silent)
    build = workflow.Build(emulate=True)
    found = tuning.run(made, boards.load("cortex-m4"), build, "unicorn", silent)
    assert {"edges", "logits"} <= {layer.layer for layer in found.layers}
    assert all({"dsp", "portable"} <= set(layer.ticks) for layer in found.layers)
    assert 0 < found.tuned_ticks <= found.default_ticks


def test_a_tuning_is_taken_from_the_cache(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workflow.to_bundle(Path("shapes.tflite"), workflow.Conversion(), silent)
    known = made_up(made.manifest.model_sha256)
    monkeypatch.setattr(tuning, "_measured", lambda *arguments: known)
    assert tuning.run(made, boards.load("cortex-m4"), workflow.Build(), "unicorn", silent) == known
    monkeypatch.delattr(tuning, "_measured")
    assert tuning.run(made, boards.load("cortex-m4"), workflow.Build(), "unicorn", silent) == known


def test_a_written_tuning_is_read_back_as_choices(tmp_path: Path) -> None:
    (tmp_path / "tune.json").write_bytes(msgspec.json.encode(made_up("ab")))
    assert tuning.load(tmp_path / "tune.json", "ab").choices() == (Choice("edges", "portable"),)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json"])
def test_what_is_no_tuning_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tune.json").write_bytes(content)
    with pytest.raises(DataError, match="not a tuning"):
        tuning.load(tmp_path / "tune.json", "ab")


def test_the_tuning_of_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tune.json").write_bytes(msgspec.json.encode(made_up("ab")))
    with pytest.raises(DataError, match="another model"):
        tuning.load(tmp_path / "tune.json", "cd")


def test_tune_writes_what_compile_takes(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "shapes.tflite", "--board", "cortex-m4", "-o", "tune.json"]) == 0
    assert "as compiled" in capsys.readouterr().out
    given = ["--board", "cortex-m4", "--tuned", "tune.json", "--variant", "edges=portable"]
    assert main(["compile", "shapes.tflite", "-o", "out", *given]) == 0
    assert "ts_conv_2d_s8(" in Path("out/model.c").read_text()
    assert main(["compile", "shapes.tflite", "-o", "out", "--variant", "edges"]) == 2
    assert "not LAYER=VARIANT" in capsys.readouterr().err


def test_bench_runs_the_kernels_that_are_named(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = hashlib.sha256(Path("shapes.tflite").read_bytes()).hexdigest()
    Path("tune.json").write_bytes(msgspec.json.encode(made_up(model)))
    bench = ["bench", "shapes.tflite", "--board", "cortex-m4", "--runs", "1", "--json"]
    assert main([*bench, "chosen.json"]) == 0
    assert main([*bench, "portable.json", "--variant", "edges=portable"]) == 0
    assert main([*bench, "tuned.json", "--tuned", "tune.json"]) == 0
    assert instructions("chosen.json") != instructions("portable.json") == instructions("tuned.json")
    capsys.readouterr()
    assert main([*bench, "none.json", "--variant", "edges=fastest"]) == 2
    assert "edges" in capsys.readouterr().err


def test_bench_takes_choices_for_one_model_alone(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = ["bench", "shapes.tflite", "other.tflite", "--board", "cortex-m4"]
    assert main([*two, "--variant", "edges=portable"]) == 2
    assert "one model" in capsys.readouterr().err


def instructions(path: str) -> float:
    """The median of a bench result."""
    return float(json.loads(Path(path).read_text())["results"][0]["latency"]["median"])
