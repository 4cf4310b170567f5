# SPDX-License-Identifier: Apache-2.0
"""`tinyserve accuracy`: the float model, the compiled one and the device side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.bench.models import write_classifier, write_dataset
from tinyserve.cli.main import main
from tinyserve.compiler.host.model import HostModel

Array = npt.NDArray[Any]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "shapes.tflite")
    write_dataset(tmp_path / "test.npz")
    return tmp_path


def right(shown: str, row: str) -> str:
    """The counts of a row."""
    line = next(line for line in shown.splitlines() if row in line)
    return " ".join(line.split()[-3:])


@pytest.mark.usefixtures("here")
def test_the_compiled_model_and_the_device_agree(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["accuracy", "shapes.tflite", "--dataset", "test.npz", "--board", "cortex-m4"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert (
        right(shown, "compiled (int8)") == right(shown, "cortex-m4, emulated") == right(shown, "int8, TFLM")
    )
    assert "float original  " not in shown, "it came quantized"
    assert "label" in shown and "most often taken" in shown
    assert "12 samples" in shown


@pytest.mark.usefixtures("here")
def test_a_data_set_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["accuracy", "shapes.tflite", "--dataset", "none.npz"]) == 5
    assert "none.npz" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_only_the_compiled_model_is_run_when_nothing_is_to_be_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["accuracy", "shapes.tflite", "--dataset", "test.npz", "--no-compare"]) == 0
    shown = capsys.readouterr().out
    assert "compiled (int8)" in shown
    assert "TFLM" not in shown


@pytest.mark.usefixtures("here")
def test_a_model_that_agrees_with_tflm_on_nothing_ends_in_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kernels' code stands in for a compiler that errs: its outputs are turned around."""
    right = HostModel.run_batch

    def turned(self: HostModel, inputs: Sequence[Array], reset: bool = True) -> list[Array]:
        return [np.ascontiguousarray(output[..., ::-1]) for output in right(self, inputs, reset)]

    monkeypatch.setattr(HostModel, "run_batch", turned)
    assert main(["accuracy", "shapes.tflite", "--dataset", "test.npz"]) == 3
    assert "TFLM" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(12, 2), (12, 5)])
def test_labels_of_several_values_per_sample_are_refused(
    shape: tuple[int, int], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = dict(np.load(here / "test.npz"))
    np.savez(here / "test.npz", x=data["x"], y=np.full(shape, 2))
    assert main(["accuracy", "shapes.tflite", "--dataset", "test.npz"]) == 5
    assert f"labels of shape {shape}" in capsys.readouterr().err
