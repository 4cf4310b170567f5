# SPDX-License-Identifier: Apache-2.0
"""Models that remember: on an emulated core each sample gives what TFLM gives after those before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.control.test_control_flow import nested_loop, running_sum
from tests.compiler.ops.recurrent.test_unidirectional_sequence_lstm import random_case
from tinyserve.cli.main import main


@pytest.mark.parametrize("kind", ["lstm", "variable", "loops"])
def test_outputs_on_the_device_are_those_of_tflm(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {
        "lstm": lambda: random_case(5, "int8").model,
        "variable": lambda: running_sum(1, "int32", once=True).model,
        "loops": lambda: nested_loop()[0],
    }[kind]()
    (tmp_path / "model.tflite").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    options = [] if kind == "lstm" else ["--quantize", "float32"]
    assert main(["bench", "model.tflite", "--board", "cortex-m4", "--runs", "1", *options]) == 0
    assert "4 of 4 samples equal byte for byte" in capsys.readouterr().out
