# SPDX-License-Identifier: Apache-2.0
"""The comparison with emlearn counts both engines alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from benchmarks import trees

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc with newlib"
)


def test_nodes_take_less_flash_and_time_than_emlearns_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "SAMPLES", 5)
    monkeypatch.chdir(tmp_path)
    samples, labels = load_iris(return_X_y=True)
    features, programs = trees._programs(
        RandomForestClassifier(8, random_state=0).fit(samples, labels), samples
    )
    by_name = {program.name: program for program in programs}
    ours = trees.measure(by_name["tinyserve, balanced"], "cortex-m0", features)
    theirs = trees.measure(by_name["emlearn loadable, votes"], "cortex-m0", features)
    assert 100 < ours.instructions < theirs.instructions
    assert 100 < ours.flash_bytes < theirs.flash_bytes
