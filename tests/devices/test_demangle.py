# SPDX-License-Identifier: Apache-2.0
"""C++ names are shown as people write them, where a program for that is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tinyserve.devices.demangle import demangled

INVOKE = "_ZN6tflite16MicroInterpreter6InvokeEv"


@pytest.mark.skipif(not shutil.which("c++filt"), reason="needs c++filt")
def test_overloads_count_together_and_c_names_stay() -> None:
    counts = {"ts_model_invoke": 40, "_ZN6tflite3AddEi": 30, "_ZN6tflite3AddEf": 20, INVOKE: 5}
    assert list(demangled(counts).items()) == [
        ("tflite::Add", 50), ("ts_model_invoke", 40), ("tflite::MicroInterpreter::Invoke", 5)
    ]  # fmt: skip


def test_without_a_program_names_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demangled({INVOKE: 5, "main": 1}) == {INVOKE: 5, "main": 1}
    failing = tmp_path / "c++filt"
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o755)
    assert demangled({INVOKE: 5}) == {INVOKE: 5}
