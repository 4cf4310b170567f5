# SPDX-License-Identifier: Apache-2.0
"""The real firmware around the tiny hand-written model, built once per board and session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.boards.types import Board
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render

BuildTiny = Callable[[str], tuple[Firmware, Board]]


@pytest.fixture(scope="session")
def build_tiny(tmp_path_factory: pytest.TempPathFactory) -> BuildTiny:
    lock = threading.Lock()

    @cache
    def build_once(name: str) -> tuple[Firmware, Board]:
        board = boards.load(name)
        return build(
            render(tiny_model(), board, tmp_path_factory.mktemp(name) / "project", emulate=True)
        ), board

    def build_locked(name: str) -> tuple[Firmware, Board]:
        with lock:
            return build_once(name)

    return build_locked
