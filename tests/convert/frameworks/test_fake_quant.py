# SPDX-License-Identifier: Apache-2.0
"""Networks that were trained with fake quantization convert as the floats that they compute with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyserve import bundle
from tinyserve.cli.main import main

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("bits", [8, 4])
def test_ranges_come_from_the_data_and_the_report_says_so(
    bits: int, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(4).normal(size=(120, 6)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    monkeypatch.chdir(tmp_path)
    assert (
        main(["convert", str(models / f"fake_quantized_{bits}"), "--representative", "x.npz", "-o", "b"]) == 0
    )
    manifest = bundle.load(tmp_path / "b").manifest
    (quality,) = manifest.accuracy
    assert quality.sqnr_db is not None and quality.sqnr_db > 30
    assert "trained with fake quantization: its 4 operators" in manifest.notes[0]
    assert set(manifest.ops) == {"FULLY_CONNECTED"}
