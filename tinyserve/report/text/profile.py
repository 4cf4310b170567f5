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
from tinyserve.report import figures

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
        layers = _LayerTable(profile.layers, profile.unit)
        parts += [layers, Text(), _reason_table(profile.layers), Text()]
    if profile.functions:
        parts.append(_function_table(profile.functions))
    if profile.note:
        parts.append(Text(f"functions: {profile.note}", style="dim"))
    if profile.unit == HOST_INSTRUCTIONS:
        parts += [Text(), Text(HOST_WORDS, style="dim")]
    return Group(*parts)


class _LayerTable:
    """The layers with as many columns as fit: no figure is cut off."""

    def __init__(self, layers: list[Layer], unit: str) -> None:
        self._layers = layers
        self._unit = unit

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unlimited = options.update(max_width=_ANY_WIDTH)
        for count in range(len(_DISPENSABLE) + 1):
            left_out = _DISPENSABLE[:count]
            table = _layer_table(self._layers, self._unit, left_out)
            if console.measure(table, options=unlimited).maximum <= options.max_width:
                break
        yield table
        named = ", ".join(name for name in left_out if name)
        if named:
            yield Text(f"not shown here: {named}; --html has all", style="dim")


def _layer_table(layers: list[Layer], unit: str, left_out: Sequence[str]) -> Table:
    """One row per layer, and the sums. The bars are the column without a name."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    columns = _columns(layers, unit)
    for name in columns:
        if name not in left_out:
            table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=True)
    kept = [cells for name, cells in columns.items() if name not in left_out]
    for row in zip(*kept, strict=True):
        table.add_row(*row)
    total = f"{sum(layer.ticks for layer in layers):,}"
    sums = {"layer": "sum", column_title(unit): total, "MACs": f"{sum(layer.macs for layer in layers):,}"}
    table.add_row(*(sums.get(name, "") for name in columns if name not in left_out), style="bold")
    return table


def _columns(layers: list[Layer], unit: str) -> dict[str, list[str] | list[Text]]:
    total = sum(layer.ticks for layer in layers)
    longest = max((layer.ticks for layer in layers), default=1) or 1
    bars = [round(_BAR_CELLS * layer.ticks / longest) for layer in layers]
    return {
        "#": [str(layer.index) for layer in layers],
        "layer": [layer.name for layer in layers],
        "operator": [layer.op for layer in layers],
        "kernel": [layer.variant for layer in layers],
        column_title(unit): [f"{layer.ticks:,}" for layer in layers],
        "share": [figures.percent(layer.ticks, total) for layer in layers],
        "per MAC": [f"{layer.ticks / layer.macs:.2f}" if layer.macs else "" for layer in layers],
        "MACs": [f"{layer.macs:,}" if layer.macs else "" for layer in layers],
        "read": [f"{layer.bytes_read:,}" for layer in layers],
        "written": [f"{layer.bytes_written:,}" for layer in layers],
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
