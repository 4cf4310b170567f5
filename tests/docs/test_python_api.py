# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/python-api.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.convert.conftest import models  # noqa: F401 (a fixture)
from tests.support.places import CHECKOUT

PAGE = CHECKOUT / "docs" / "python-api.md"


def test_the_examples_run_one_after_the_other(models: Path, tmp_path: Path) -> None:  # noqa: F811
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) > 5
    prepare = (
        "import shutil, numpy as np\n"
        f"shutil.copy({str(models / 'cnn.keras')!r}, 'model.keras')\n"
        "np.savez('calib.npz', x=np.random.default_rng(1).uniform(0, 1, (64, 8, 8, 1)).astype(np.float32))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", prepare + "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "instructions" in done.stdout
