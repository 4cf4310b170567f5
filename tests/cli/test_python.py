# SPDX-License-Identifier: Apache-2.0
"""Builds of Python that tinyserve does not run on say so before anything else."""

from __future__ import annotations

import sys
import sysconfig
from typing import Any

import pytest

from tinyserve.cli.main import main


def test_a_free_threaded_build_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = sysconfig.get_config_var

    def asked(name: str) -> Any:
        return 1 if name == "Py_GIL_DISABLED" else ask(name)

    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr(sysconfig, "get_config_var", asked)
    assert main(["boards"]) == 6
    said = capsys.readouterr().err
    assert "free-threaded build of Python 3." in said
    assert "-m venv .venv" in said


def test_the_standard_build_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    assert main(["--version"]) == 0
