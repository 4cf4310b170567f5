# SPDX-License-Identifier: Apache-2.0
"""Every kind of export for every kind of board: a project, or a refusal whose advice works."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.boards import Board
from tinyserve.devices import select_emulator
from tinyserve.errors import UsageError
from tinyserve.firmware.export import KINDS
from tinyserve.firmware.export.projects.source import Request
from tinyserve.firmware.platformio.platform import is_emulated


def likes() -> list[Board]:
    """One board for each core and each set of build systems that know it."""
    unlike = {
        (b.core.name, bool(b.platformio), bool(b.arduino), bool(b.zephyr), bool(b.emulators)): b
        for b in boards.all_boards()
    }
    return list(unlike.values())


@cache
def exported(kind: str, board: str) -> dict[str, bytes]:
    return KINDS[kind].files(Request(tiny_model(), boards.load(board), "tiny01", "kws"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("board", likes(), ids=lambda board: board.id)
def test_a_kind_makes_a_project_of_a_board_or_names_what_does(kind: str, board: Board) -> None:
    try:
        files = exported(kind, board.id)
    except UsageError as error:
        assert error.message.startswith(f"{board.id}"), (
            "the board can't be exported so, and no template failed"
        )
        advice = re.fullmatch(r"export --as (\w+)", error.hint)
        assert advice, error.hint
        assert exported(advice[1], board.id)
        return
    assert "README.md" in files
    promised = b"The board is emulated" in files["README.md"]
    assert not promised or select_emulator(board)


@pytest.mark.parametrize("board", boards.all_boards(), ids=lambda board: board.id)
def test_the_development_platform_has_the_boards_that_an_emulator_runs(board: Board) -> None:
    try:
        found = select_emulator(board).kind != "host"
    except UsageError:
        found = False
    assert is_emulated(board) == found
