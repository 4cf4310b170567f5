# SPDX-License-Identifier: Apache-2.0
"""A profile for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from tinyserve.bench.counts.profiling import HOST_INSTRUCTIONS, FunctionCount, Profile
from tinyserve.bench.result import Layer
from tinyserve.report import figures, layer_groups
from tinyserve.report.layer_groups import Row

_BAR_CELLS = 8
_SMALL_SHARE = 0.0005
_ANY_WIDTH = 10_000
_WORDS = ("layer", "operator", "kernel", "")
_DISPENSABLE = ("", "operator", "kernel", "MACs", "#", "written")
"""Columns of the layers that narrow terminals do without, in this order."""
HOST_WORDS = "instructions of this computer: no latency, and not those of any board"


def profile_view(profile: Profile) -> RenderableType:
    """Layers in order, then functions by weight."""
    setup = profile.setup
    parts: list[RenderableType] = [
        Text(f"{profile.model.name} on {setup.board}", style="bold")
        + Text(
            f"  {setup.device}, one inference: {figures.quantity(profile.total, profile.unit)}", style="dim"
        ),
        Text(),
    ]
    if profile.layers:
        rows = layer_groups.rows(profile.layers)
        note = layer_groups.grouped_note(len(profile.layers), len(rows))
        parts.append(_LayerTable(rows, profile.unit))
        if note:
            parts.append(Text(f"{note}; --json has each", style="dim"))
        parts += [Text(), _reason_table(profile.layers), Text()]
    if profile.functions:
        parts.append(_function_table(layer_groups.functions(profile.functions, profile.layers)))
    if profile.note:
        parts.append(Text(f"functions: {profile.note}", style="dim"))
    if profile.unit == HOST_INSTRUCTIONS:
        parts += [Text(), Text(HOST_WORDS, style="dim")]
    return Group(*parts)


class _LayerTable:
    """The layers with as many columns as fit: no figure is cut off."""

    def __init__(self, rows: list[Row], unit: str) -> None:
        self._rows = rows
        self._unit = unit

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unlimited = options.update(max_width=_ANY_WIDTH)
        for count in range(len(_DISPENSABLE) + 1):
            left_out = _DISPENSABLE[:count]
            table = _layer_table(self._rows, self._unit, left_out)
            if console.measure(table, options=unlimited).maximum <= options.max_width:
                break
        yield table
        named = ", ".join(name for name in left_out if name)
        if named:
            yield Text(f"not shown here: {named}; --html has all", style="dim")


def _layer_table(rows: list[Row], unit: str, left_out: Sequence[str]) -> Table:
    """The rows of layers, and the sums. The bars are the column without a name."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    columns = _columns(rows, unit)
    for name in columns:
        if name not in left_out:
            table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=True)
    kept = [cells for name, cells in columns.items() if name not in left_out]
    for cells in zip(*kept, strict=True):
        table.add_row(*cells)
    total = f"{sum(row.ticks for row in rows):,}"
    sums = {"layer": "sum", column_title(unit): total, "MACs": f"{sum(row.macs for row in rows):,}"}
    table.add_row(*(sums.get(name, "") for name in columns if name not in left_out), style="bold")
    return table


def _columns(rows: list[Row], unit: str) -> dict[str, list[str] | list[Text]]:
    total = sum(row.ticks for row in rows)
    longest = max((row.ticks for row in rows), default=1) or 1
    bars = [round(_BAR_CELLS * row.ticks / longest) for row in rows]
    return {
        "#": [row.place for row in rows],
        "layer": [row.name for row in rows],
        "operator": [row.first.op for row in rows],
        "kernel": [row.variants for row in rows],
        column_title(unit): [f"{row.ticks:,}" for row in rows],
        "share": [figures.percent(row.ticks, total) for row in rows],
        "per MAC": [f"{row.ticks / row.macs:.2f}" if row.macs else "" for row in rows],
        "MACs": [f"{row.macs:,}" if row.macs else "" for row in rows],
        "read": [f"{sum(layer.bytes_read for layer in row.layers):,}" for row in rows],
        "written": [f"{sum(layer.bytes_written for layer in row.layers):,}" for row in rows],
        "": [Text("█" * cells, style="green") for cells in bars],
    }


def column_title(unit: str) -> str:
    """What stands over a column of figures; whose instructions they are is said beside the table."""
    return figures.unit("instructions" if unit == HOST_INSTRUCTIONS else unit)


def _reason_table(layers: list[Layer]) -> Table:
    """Why layers have the kernels that they have, each reason once."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("kernel", no_wrap=True)
    table.add_column("why")
    table.add_column("layers", justify="right", no_wrap=True)
    counted = Counter((layer.variant, layer.reason) for layer in layers if layer.reason)
    for (variant, reason), count in counted.items():
        table.add_row(variant, reason, str(count))
    return table


def _function_table(functions: list[FunctionCount]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("function", no_wrap=True)
    table.add_column("instructions", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    total = sum(function.instructions for function in functions) or 1
    large = [one for one in functions if one.instructions >= _SMALL_SHARE * total]
    for function in large:
        share = figures.percent(function.instructions, total)
        table.add_row(function.name, f"{function.instructions:,}", share)
    if len(large) < len(functions):
        rest = total - sum(one.instructions for one in large)
        name = f"{len(functions) - len(large)} others"
        table.add_row(name, f"{rest:,}", figures.percent(rest, total), style="dim")
    return table
