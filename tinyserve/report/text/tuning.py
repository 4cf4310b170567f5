# SPDX-License-Identifier: Apache-2.0
"""A tuning for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.counts.tuning import Tuning
from tinyserve.report import figures


def tuning_view(tuning: Tuning, model: str) -> RenderableType:
    """What each layer takes with each variant, the chosen one marked, and what that makes of the whole."""
    variants = list(dict.fromkeys(name for layer in tuning.layers for name in layer.ticks))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("layer", no_wrap=True)
    for name in variants:
        table.add_column(name, justify="right", no_wrap=True)
    for layer in tuning.layers:
        cells = [
            Text(f"{layer.ticks[name]:,}", style="bold green" if name == layer.variant else "dim")
            if name in layer.ticks
            else Text()
            for name in variants
        ]
        table.add_row(layer.layer, *cells)
    saved = figures.percent(tuning.default_ticks - tuning.tuned_ticks, tuning.default_ticks)
    return Group(
        Text(f"{model} on {tuning.board}", style="bold") + Text(f"  {tuning.unit} per layer", style="dim"),
        Text(),
        table,
        Text(),
        Text(
            f"as compiled {tuning.default_ticks:,}, tuned {tuning.tuned_ticks:,} {tuning.unit}: {saved} less"
        ),
    )
