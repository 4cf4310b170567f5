# SPDX-License-Identifier: Apache-2.0
"""Loops of a SavedModel are laid out, whatever else controls the flow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyserve import bundle
from tinyserve.cli.main import main

pytestmark = pytest.mark.slow


def test_a_loop_behind_a_condition_is_laid_out(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(4).normal(size=(60, 4)).astype(np.float32))
    monkeypatch.chdir(tmp_path)
    source = str(models / "branch_and_loop")
    asked = ["--representative", "x.npz", "--quantize", "float32", "-o", "b"]
    assert main(["convert", source, *asked]) == 0
    manifest = bundle.load(tmp_path / "b").manifest
    assert manifest.accuracy[0].sqnr_db is None or manifest.accuracy[0].sqnr_db > 100
    assert manifest.ops["TANH"] == 3 and manifest.ops["IF"] == 1
