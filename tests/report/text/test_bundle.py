# SPDX-License-Identifier: Apache-2.0
"""What a conversion that is not good is told to try."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs
from rich.console import Console

from tests.bench.models import write_classifier
from tinyserve.bundle import Bundle, OutputAccuracy
from tinyserve.compiler.ops.trees.tree_ensemble import NAME as TREES
from tinyserve.convert import convert
from tinyserve.report.text.bundle import bundle_panel


@pytest.mark.parametrize(
    ("operator", "wanted"), [(TREES, "convert it with --quantize auto"), ("CONV_2D", "tinyserve debug")]
)
def test_trees_are_not_referred_to_what_compares_layers(
    operator: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = convert(write_classifier(tmp_path / "m.tflite"), output=tmp_path / "b")
    poor = OutputAccuracy(name="y", sqnr_db=3.0, max_error=1.0, top1_agreement=None, error_sigma=2.0)
    manifest = structs.replace(made.manifest, ops={operator: 1}, accuracy=[poor])
    monkeypatch.setattr(Bundle, "original_path", lambda _: tmp_path / "m.tflite")
    console = Console(width=200)
    with console.capture() as shown:
        console.print(bundle_panel(Bundle(made.path, manifest)))
    assert f"what would help: {wanted}" in shown.get()
