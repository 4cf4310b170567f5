# SPDX-License-Identifier: Apache-2.0
"""Features as text: what each step gives, and how ours compare with what was prepared elsewhere."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.features.graph import Features
from tinyserve.features.skew import SAME_DB, Skew
from tinyserve.words import counted

_MOST_COLUMNS = 20


def steps_table(made: Features) -> RenderableType:
    """The raw input and each step with its shape and type."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("step", "kind", "shape", "type", "rate"):
        table.add_column(column, no_wrap=True)
    stages = [("input", "", made.input), *((stage.name, stage.kind, stage.value) for stage in made.stages)]
    for name, kind, value in stages:
        rate = f"{value.rate_hz:g} Hz" if value.rate_hz else ""
        table.add_row(name, kind, "×".join(map(str, value.shape)), value.dtype, rate)
    return table


def skew_table(skew: Skew) -> RenderableType:
    """The features that differ, the worst first, and what would explain it."""
    if skew.is_same:
        return Text(
            f"✓ all {counted(len(skew.columns), 'feature is', 'features are')} the same "
            f"({skew.sqnr_db:.1f} dB)",
            style="green",
        )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("feature", "SQNR", "largest difference"):
        table.add_column(title, justify="right", no_wrap=True)
    differing = sorted((c for c in skew.columns if not c.is_same), key=lambda column: column.sqnr_db)
    for column in differing[:_MOST_COLUMNS]:
        table.add_row(str(column.index), f"{column.sqnr_db:.1f} dB", f"{column.largest:.4g}")
    parts: list[RenderableType] = [
        Text(
            f"✗ {len(differing)} of "
            f"{counted(len(skew.columns), 'feature differs', 'features differ')}: below {SAME_DB:g} dB",
            style="red",
        ),
        table,
    ]
    if len(differing) > _MOST_COLUMNS:
        parts.append(Text(f"and {len(differing) - _MOST_COLUMNS} more", style="dim"))
    explained = skew.explanation or "no single parameter that was tried explains it"
    return Group(*parts, Text(f"{'explained by ' if skew.explanation else ''}{explained}"))
