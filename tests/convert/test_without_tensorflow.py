# SPDX-License-Identifier: Apache-2.0
"""A .tflite is read and compiled by what tinyserve itself depends on: no TensorFlow, no LiteRT, no TFLM."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.convert.test_pipeline import quantized_model

ALONE = """
import sys

for name in ("tensorflow", "keras", "ai_edge_litert", "tflite_runtime", "tflite_micro", "flatbuffers", "h5py",
             "torch", "onnx", "sklearn", "scipy", "pandas"):
    sys.modules[name] = None  # as if it were not there: no import and no search finds it
from tinyserve.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "command",
    [["compile", "m.tflite", "-o", "c"], ["inspect", "m.tflite"], ["inspect", "m.tflite", "--fits"]],
)
def test_reading_and_compiling_need_none_of_them(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "m.tflite").write_bytes(quantized_model())
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if command[0] == "compile":
        assert list((tmp_path / "c").glob("*.c"))
