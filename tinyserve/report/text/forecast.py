# SPDX-License-Identifier: Apache-2.0
"""Which boards a model would fit in each scheme, as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.boards.fit import Demand, Fit, fit, ram_on
from tinyserve.boards.types import Board, Region
from tinyserve.forecast import Forecast
from tinyserve.report import figures

_STYLES: dict[Fit, str] = {"fits": "green", "tight": "yellow", "too large": "red"}


def forecast_view(name: str, forecasts: Sequence[Forecast], boards: Sequence[Board]) -> RenderableType:
    """The model in each scheme, then a row per board with the share of its flash and RAM."""
    made = [found for found in forecasts if not found.failed]
    return Group(
        Text(name, style="bold"),
        Text(),
        _schemes(forecasts),
        Text(),
        _boards(made, [board for board in boards if board.flash is not None]),
        Text(),
        Text(
            "shares of flash / RAM that the bench firmware takes, built where that decides whether it fits "
            "(≈: code is estimated). Quantized with random samples: this tells sizes, not accuracy.",
            style="dim",
        ),
    )


def _schemes(forecasts: Sequence[Forecast]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("scheme")
    for column in ("weights and tables", "arena", "MACs"):
        table.add_column(column, justify="right", no_wrap=True)
    for found in forecasts:
        if found.failed:
            table.add_row(found.scheme, Text(found.failed, style="yellow"))
            continue
        table.add_row(
            found.scheme,
            figures.size(found.constant_bytes),
            figures.size(found.arena_bytes),
            f"{found.macs:,}",
        )
    return table


def _boards(forecasts: Sequence[Forecast], boards: Sequence[Board]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("board", no_wrap=True)
    for column in ("flash", "RAM"):
        table.add_column(column, justify="right", no_wrap=True)
    for found in forecasts:
        table.add_column(found.scheme, no_wrap=True)
    for board in boards:
        cells = [_verdict(found.needs[board.id], board) for found in forecasts]
        table.add_row(board.id, figures.memory_size(board.flash), figures.memory_size(board.ram), *cells)
    return table


def _verdict(needs: Demand, board: Board) -> Text:
    verdict = fit(needs, board)
    about = "≈" if needs.estimated else ""
    shares = f"{about}{_share(needs.flash_bytes, board.flash)} / {_share(ram_on(needs, board), board.ram)}"
    return Text(f"{verdict:9} {shares}", style=_STYLES[verdict])


def _share(used: int, region: Region | None) -> str:
    return f"{100 * used / region.bytes:.0f} %" if region else "—"
