# SPDX-License-Identifier: Apache-2.0
"""Ways to quantize one model beside each other: how good each is and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tinyserve.bundle import Tried


def variants_table(variants: Sequence[Tried]) -> Table:
    """A row per variant. Flash and instructions are those on a board, where one was measured; else the bytes
    of weights and the MACs."""
    board = next((variant.cost.board for variant in variants if variant.cost), "")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("tried" + (f", on {board}" if board else ""))
    table.add_column("options")
    costs = ("flash", "arena", "instructions") if board else ("constants", "arena", "MACs")
    for column in ("score", "SQNR", *costs):
        table.add_column(column, justify="right", no_wrap=True)
    for variant in variants:
        if variant.score is None:
            table.add_row(variant.name, Text(variant.failed, style="yellow"))
            continue
        table.add_row(
            variant.name,
            Text(variant.options, style="dim"),
            f"{variant.measure} {variant.score:.4f}",
            "—" if variant.sqnr_db is None else f"{variant.sqnr_db:.1f} dB",
            *_costs(variant, bool(board)),
            style="bold green" if variant.taken else "",
        )
    return table


def _costs(variant: Tried, measured: bool) -> tuple[str, str, str]:
    if not measured:
        return f"{variant.constant_bytes:,}", f"{variant.arena_bytes:,}", f"{variant.macs:,}"
    cost = variant.cost
    if cost is None:
        return "—", "—", "—"
    return f"{cost.flash_bytes:,}", f"{cost.arena_bytes:,}", f"{cost.instructions:,}"
