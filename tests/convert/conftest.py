# SPDX-License-Identifier: Apache-2.0
"""Models that are made once per test run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import shared


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of trained models (see make_models.py)."""
    return shared.once(tmp_path_factory, "models", _train)


def _train(directory: Path) -> None:
    script = Path(__file__).with_name("make_models.py")
    made = subprocess.run(
        [sys.executable, script, directory], capture_output=True, text=True, timeout=240, check=False
    )
    assert made.returncode == 0, made.stderr
