# SPDX-License-Identifier: Apache-2.0
"""Commands that measure, on models with several outputs and on models that keep state between inferences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import bundle
from tinyserve.cli.main import main

OUTPUTS = ("größe/a:0", "b")


def two_heads(path: Path) -> str:
    """Two layers side by side, of 3 and 4 values, under names that are no identifiers."""
    r = np.random.default_rng(3)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 6), "int8", 0.05, -4, name="x y")
    heads = {}
    for size, name in zip((3, 4), OUTPUTS, strict=True):
        weights = graph.constant(r.integers(-127, 128, (size, 6)).astype(np.int8), 0.01)
        y = graph.tensor((1, size), "int8", 0.1, 2, name=name)
        graph.op("FULLY_CONNECTED", [x, weights, None], [y])
        graph.output(y)
        heads[name] = y
    model.signature("serving_default", {"x y": x}, heads)
    path.write_bytes(model.build())
    return str(path)


def with_state(path: Path) -> str:
    """SVDF: its state holds what came before."""
    r = np.random.default_rng(4)
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 5), "float32"), graph.tensor((1, 3), "float32")
    state = graph.tensor((1, 3 * 4), "float32", variable=True)
    weights = [graph.constant(r.normal(size=shape).astype(np.float32)) for shape in ((3, 5), (3, 4))]
    graph.op("SVDF", [x, *weights, None, state], [y], rank=1)
    graph.output(y)
    path.write_bytes(model.build())
    return str(path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_bench_compares_every_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", two_heads(here / "m.tflite"), "--board", "host", "--runs", "3", "--json", "r.json"]
    assert main(command) == 0
    assert "4 of 4 samples equal byte for byte (expected from tflite-micro" in capsys.readouterr().out
    (found,) = json.loads((here / "r.json").read_text())["results"]
    assert found["check"]["equal"] == found["check"]["samples"] == 4


def test_a_bench_of_a_model_with_state_starts_it_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Warm-up runs change the state; the outputs are compared with those of a fresh interpreter."""
    model = with_state(here / "m.tflite")
    command = ["bench", model, "--quantize", "float32", "--board", "host", "--runs", "3", "--warmup", "5"]
    assert main(command) == 0
    assert "4 of 4 samples within" in capsys.readouterr().out


def test_the_check_of_a_model_with_state_is_of_one_sequence(here: Path) -> None:
    model = with_state(here / "m.tflite")
    np.savez("d.npz", x=np.random.default_rng(6).normal(size=(60, 5)).astype(np.float32))
    assert main(["convert", model, "--quantize", "float32", "--representative", "d.npz", "-o", "b"]) == 0
    (found,) = bundle.load(here / "b").manifest.accuracy
    assert found.max_error < 1e-5, "both see the samples in one sequence"


def test_debug_of_a_quantized_file_says_what_is_missing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["debug", two_heads(here / "m.tflite")]) == 2
    assert "convert from the float model" in capsys.readouterr().err


def test_accuracy_asks_which_output_the_labels_are_of(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = two_heads(here / "m.tflite")
    r = np.random.default_rng(5)
    np.savez("d.npz", x=r.normal(0, 2, (20, 6)).astype(np.float32), y=np.full(20, 3))
    assert main(["accuracy", model, "--dataset", "d.npz"]) in (2, 5)
    said = capsys.readouterr().err
    assert all(name in said for name in OUTPUTS) and "--output" in said
    assert main(["accuracy", model, "--dataset", "d.npz", "--output", "b"]) == 0
    assert "20" in capsys.readouterr().out
    assert main(["accuracy", model, "--dataset", "d.npz", "--output", "c"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in OUTPUTS)


def test_labels_beyond_the_chosen_output_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = two_heads(here / "m.tflite")
    np.savez("d.npz", x=np.zeros((20, 6), np.float32), y=np.full(20, 3))
    assert main(["accuracy", model, "--dataset", "d.npz", "--output", OUTPUTS[0]]) == 5
    assert "3" in capsys.readouterr().err


def test_a_budget_none_of_whose_tables_is_about_a_cell_ends_in_3(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = two_heads(here / "m.tflite")
    Path("budget.toml").write_text("[model.other]\nram_bytes = 5\n")
    command = ["bench", model, "--board", "host", "--runs", "1", "--budget", "budget.toml"]
    assert main(command) == 3
    assert "nothing was checked" in capsys.readouterr().err


def test_the_header_has_the_names_of_inputs_and_outputs(here: Path) -> None:
    assert main(["compile", two_heads(here / "m.tflite"), "-o", "c"]) == 0
    header = (here / "c" / "model.h").read_text()
    assert "x y" in header and all(name in header for name in OUTPUTS)
