# SPDX-License-Identifier: Apache-2.0
"""The same model, board and version give the same firmware, counts and report: in two directories, by two
processes that share nothing, not even a cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.models import write_classifier, write_dataset

TIMES = {"created_utc"}


def bench(folder: Path, *options: str) -> tuple[Any, bytes, str]:
    """The report without its times, the firmware, and the HTML page, of a bench in a directory."""
    folder.mkdir(parents=True)
    write_classifier(folder / "shapes.tflite")
    write_dataset(folder / "test.npz")
    environment = {
        **os.environ,
        "TINYSERVE_CACHE": str(folder / "cache"),
        "PYTHONHASHSEED": str(len(folder.name)),
    }
    command = [
        sys.executable, "-m", "tinyserve", "bench", "shapes.tflite", *options, "--runs", "3",
        "--dataset", "test.npz", "--json", "bench.json", "--html", "bench.html",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    (elf,) = folder.glob("build/*/*/firmware.elf")
    report = (folder / "bench.json").read_text()
    created = json.loads(report)["results"][0]["created_utc"]
    page = (folder / "bench.html").read_text().replace(created, "")
    return _without_times(json.loads(report)), elf.read_bytes(), page


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in TIMES}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


CASES = [
    pytest.param(["--board", "nano33", "--emulate"], "", id="unicorn"),
    pytest.param(["--board", "cortex-m55"], "qemu-system-arm", id="qemu"),
    pytest.param(["--board", "cortex-m4", "--toolchain", "gcc"], "arm-none-eabi-gcc", id="gcc"),
]


@pytest.mark.parametrize(("options", "tool"), CASES)
def test_two_directories_give_the_same_bytes(tmp_path: Path, options: list[str], tool: str) -> None:
    if tool and shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")
    first = bench(tmp_path / "a", *options)
    second = bench(tmp_path / "another" / "and deeper" / "directory", *options)
    assert first[0] == second[0]
    assert first[1] == second[1]
    assert first[2] == second[2]
    assert str(tmp_path).encode() not in first[1]
    assert str(tmp_path) not in json.dumps(first[0])
