# SPDX-License-Identifier: Apache-2.0
"""The costliest step of each budget, from layers that are counted one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.emit.test_interface import chain_model
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bench.counts.steps import Step, worst_steps
from tinyserve.cli.main import main


def test_a_step_takes_the_most_of_its_layers_in_a_row() -> None:
    found = worst_steps((5, 1, 9, 2, 3), (1, 2, 3, 5, 8))
    assert found == [Step(1, 5, 9, 2), Step(2, 3, 11, 2), Step(3, 2, 15, 0), Step(5, 1, 20, 0)]


def test_of_equal_steps_the_first_is_named_and_no_layers_have_none() -> None:
    assert worst_steps((4, 4), (1,)) == [Step(1, 2, 4, 0)]
    assert worst_steps(()) == []


def test_steps_are_counted_on_a_board_s_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("unicorn")
    monkeypatch.chdir(tmp_path)
    Path("chain.tflite").write_bytes(chain_model(3))
    assert main(["inspect", "chain.tflite", "--steps"]) == 2
    assert "add --board" in capsys.readouterr().err
    assert main(["inspect", "chain.tflite", "--steps", "--board", "cortex-m4"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    layers = [int(row[-1].replace(",", "")) for row in rows if len(row) == 4 and row[2] == "ADD"]
    worst = {row[0]: int(row[2].replace(",", "")) for row in rows if len(row) == 4 and row[0].isdigit()
             and row[2] != "ADD"}  # fmt: skip
    assert len(layers) == 3
    assert worst["1"] == max(layers)
    assert worst["3"] == sum(layers)


def image(tmp_path: Path) -> Path:
    """Convolutions over an image whose middle takes much RAM: --optimize ram computes them by rows."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 24, 24, 2), "int8", 0.5)
    for channels, before in ((16, 2), (2, 16)):
        weights = graph.constant(np.ones((channels, 3, 3, before), np.int8), 0.1)
        y = graph.tensor((1, 24, 24, channels), "int8", 0.5, name=f"conv_{channels}")
        graph.op(
            "CONV_2D", [x, weights, None], [y], padding="SAME", stride_w=1, stride_h=1,
            dilation_w_factor=1, dilation_h_factor=1,
        )  # fmt: skip
        x = y
    graph.output(x)
    (tmp_path / "image.tflite").write_bytes(model.build())
    return tmp_path / "image.tflite"


def test_layers_by_rows_are_counted_by_their_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("unicorn")
    monkeypatch.chdir(tmp_path)
    source = image(tmp_path)
    command = ["inspect", str(source), "--steps", "--board", "cortex-m4", "--optimize", "ram"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "n steps of some rows" in shown
    rows = [line.split() for line in shown.splitlines()]
    whole = max(int(row[-1].replace(",", "")) for row in rows if len(row) > 3 and row[0] == "0")
    steps = {row[0]: (int(row[1]), int(row[2].replace(",", ""))) for row in rows
             if len(row) == 4 and all(one.replace(",", "").isdigit() for one in row)}  # fmt: skip
    assert steps["1"][0] > 20
    assert steps["1"][1] < whole / 10
    assert steps["1"][1] < steps["4"][1] < whole
