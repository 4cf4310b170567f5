# SPDX-License-Identifier: Apache-2.0
"""What accuracy is compared with, and what is said where it can't be run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from tests.bench.models import write_classifier, write_dataset
from tinyserve.bench.accuracy import run as accuracy
from tinyserve.bench.accuracy.references import against_original, references
from tinyserve.compiler.ops.support import tflm_resolver
from tinyserve.convert import convert
from tinyserve.datasets.named import Reading
from tinyserve.errors import DataError


def test_tflm_counts_what_the_compiled_model_counts(tmp_path: Path) -> None:
    made = convert(write_classifier(tmp_path / "m.tflite"), output=tmp_path / "b")
    dataset = write_dataset(tmp_path / "d.npz", 40)
    task = accuracy.run(made, dataset).task
    found = references(made, dataset, task, limit=30)
    assert found.original is None
    assert found.notes == ()
    assert found.interpreted is not None
    assert found.interpreted.samples == 30
    whole = references(made, dataset, task, limit=1000).interpreted
    assert whole is not None
    assert whole.correct == accuracy.run(made, dataset).correct


def test_a_missing_interpreter_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "blocked" / "tflite_micro"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    made = convert(write_classifier(tmp_path / "m.tflite"), output=tmp_path / "b")
    dataset = write_dataset(tmp_path / "d.npz")
    found = references(made, dataset, accuracy.run(made, dataset).task, limit=10)
    assert found.interpreted is None
    assert "TFLM was not run" in found.notes[0]


def test_operators_that_tflm_lacks_are_named(tmp_path: Path) -> None:
    made = convert(write_classifier(tmp_path / "m.tflite"), output=tmp_path / "b")
    dataset = write_dataset(tmp_path / "d.npz")
    task = accuracy.run(made, dataset).task
    with pytest.MonkeyPatch.context() as lacking:
        lacking.delitem(tflm_resolver.METHODS, "FULLY_CONNECTED")
        found = references(made, dataset, task, limit=10)
    assert found.interpreted is None
    assert found.notes == ("TFLM was not run: it has no FULLY_CONNECTED",)


@pytest.mark.parametrize(("scheme", "drop"), [("float32", 0.0), ("int8", None)])
def test_a_model_in_float_is_its_own_original(scheme: str, drop: float | None, tmp_path: Path) -> None:
    """So that --max-drop can be asked of it."""
    made = convert(write_classifier(tmp_path / "m.tflite"), output=tmp_path / "b")
    dataset = write_dataset(tmp_path / "d.npz")
    made = replace(made, manifest=structs.replace(made.manifest, quantize=scheme))
    quality = against_original(made, accuracy.run(made, dataset), None)
    assert (quality.drop if quality else None) == drop


def test_a_reference_reads_the_data_at_the_rate_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the compiled model does: else windows begin at other rows."""
    made = convert(write_classifier(tmp_path / "m.tflite"), output=tmp_path / "b")
    dataset = write_dataset(tmp_path / "d.npz")
    task = accuracy.run(made, dataset).task
    rates: list[int] = []

    def opened(path: Path, inputs: object, piece: int, reading: Reading) -> None:
        rates.append(reading.sample_rate)
        raise DataError("enough is known", "none")

    monkeypatch.setattr(accuracy, "open_stream", opened)
    made = replace(made, manifest=structs.replace(made.manifest, rate_hz=50.0))
    for run in (accuracy.run, lambda *given: references(*given, task, limit=10)):
        with pytest.raises(DataError, match="enough"):
            run(made, dataset)
    assert rates == [50, 50]
