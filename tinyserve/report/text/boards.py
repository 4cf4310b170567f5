# SPDX-License-Identifier: Apache-2.0
"""The list of boards for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tinyserve.boards.types import Board
from tinyserve.report import figures

# Terminals at least this wide have room for names, and for PlatformIO's ids beside them.
_NAMES_FROM = 110
_PLATFORMIO_FROM = 140


def board_table(boards: Sequence[Board], width: int) -> Table:
    """One row per board: what it is, its memory, and how it runs.

    ``width`` is the terminal's in characters: from 80 on no figure and no id is cut off, and what there is
    room for is added.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("board", "core"):
        table.add_column(column, no_wrap=True)
    for column in ("clock", "flash", "RAM"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("emulated by")
    if width >= _NAMES_FROM:
        table.add_column("name")
    if width >= _PLATFORMIO_FROM:
        table.add_column("PlatformIO", no_wrap=True)
    for board in boards:
        cells = (
            board.id,
            board.core.name,
            "—" if board.core.port == "host" else figures.clock(board.clock_hz),
            figures.memory_size(board.flash),
            figures.memory_size(board.ram),
            ", ".join(emulator.kind for emulator in board.emulators),
            board.name,
            board.platformio.board if board.platformio else "",
        )
        table.add_row(*cells[: len(table.columns)])
    return table
