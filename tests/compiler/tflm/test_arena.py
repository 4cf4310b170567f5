# SPDX-License-Identifier: Apache-2.0
"""The arena's size is TFLM's own figure, and its margin is stated."""

from __future__ import annotations

import subprocess

import pytest

from tests.compiler.tflm.models import add_model
from tests.support.tflm import Tflm
from tinyserve.compiler.program import Target
from tinyserve.compiler.tflm import arena
from tinyserve.errors import ToolError


def test_the_measured_size_is_the_smallest_that_tflm_takes() -> None:
    size = arena.measure(add_model())
    Tflm(add_model(), arena_bytes=size)
    with pytest.raises(RuntimeError):
        Tflm(add_model(), arena_bytes=size - 16)


def test_the_margin_is_an_eighth_and_a_kilobyte_and_more_for_helium() -> None:
    plain = arena.arena_for(add_model(), Target(frozenset({"dsp"})))
    helium = arena.arena_for(add_model(), Target(frozenset({"dsp", "mve"})))
    assert plain.margin_bytes == -(-(1024 + plain.measured_bytes // 8) // 16) * 16
    assert helium.total_bytes - plain.total_bytes == 8192


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = b"ModuleNotFoundError: No module named 'tflite_micro'"

    def run(*args: object, **kwargs: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 1, b"", missing)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ToolError, match="pip install tflite-micro"):
        arena.measure(b"")
