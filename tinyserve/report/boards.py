"""The list of boards for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tinyserve.boards.types import Board, Region
from tinyserve.report import text


def board_table(boards: Sequence[Board]) -> Table:
    """One row per board: what it is, its memory, and how it runs."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("board", "core"):
        table.add_column(column, no_wrap=True)
    for column in ("clock", "flash", "RAM"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("emulated by", "PlatformIO", "name"):
        table.add_column(column, no_wrap=True)
    for board in boards:
        table.add_row(
            board.id,
            board.core.name,
            "—" if board.core.port == "host" else text.clock(board.clock_hz),
            _region(board.flash),
            _region(board.ram),
            ", ".join(emulator.kind for emulator in board.emulators),
            board.platformio.board if board.platformio else "",
            board.name,
        )
    return table


def _region(region: Region | None) -> str:
    return f"{region.bytes / 1024:,.0f} KiB" if region else "—"
