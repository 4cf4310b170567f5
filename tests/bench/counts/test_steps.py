# SPDX-License-Identifier: Apache-2.0
"""The costliest step of each budget, from layers that are counted one by one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.compiler.emit.test_interface import chain_model
from tinyserve.bench.counts.profiling import Profile
from tinyserve.bench.counts.steps import Step, worst_steps
from tinyserve.cli.main import main


def profile(*ticks: int) -> Profile:
    layers: list[Any] = [SimpleNamespace(ticks=one) for one in ticks]
    return cast(Profile, SimpleNamespace(layers=layers))


def test_a_step_takes_the_most_of_its_layers_in_a_row() -> None:
    found = worst_steps(profile(5, 1, 9, 2, 3), (1, 2, 3, 5, 8))
    assert found == [Step(1, 5, 9, 2), Step(2, 3, 11, 2), Step(3, 2, 15, 0), Step(5, 1, 20, 0)]


def test_of_equal_steps_the_first_is_named_and_no_layers_have_none() -> None:
    assert worst_steps(profile(4, 4), (1,)) == [Step(1, 2, 4, 0)]
    assert worst_steps(profile()) == []


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
