"""A profile for people."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.profiling import HOST_INSTRUCTIONS, FunctionCount, Profile
from tinyserve.bench.result import Layer
from tinyserve.report import text

_BAR_CELLS = 8
_SMALL_SHARE = 0.0005
HOST_WORDS = "instructions of this computer: no latency, and not those of any board"


def profile_view(profile: Profile) -> RenderableType:
    """Layers in order, then functions by weight."""
    setup = profile.setup
    parts: list[RenderableType] = [
        Text(f"{profile.model.name} on {setup.board}", style="bold")
        + Text(f"  {setup.device}, one inference: {text.quantity(profile.total, profile.unit)}", style="dim"),
        Text(),
        _layer_table(profile.layers, profile.unit),
        Text(),
        _reason_table(profile.layers),
        Text(),
    ]
    if profile.functions:
        parts.append(_function_table(profile.functions))
    if profile.note:
        parts.append(Text(f"functions: {profile.note}", style="dim"))
    if profile.unit == HOST_INSTRUCTIONS:
        parts += [Text(), Text(HOST_WORDS, style="dim")]
    return Group(*parts)


def _layer_table(layers: list[Layer], unit: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("#", justify="right", no_wrap=True)
    for column in ("layer", "operator", "kernel"):
        table.add_column(column, no_wrap=True)
    for column in (column_title(unit), "share", "per MAC", "MACs", "read", "written"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="crop")
    total = sum(layer.ticks for layer in layers) or 1
    longest = max((layer.ticks for layer in layers), default=1) or 1
    for layer in layers:
        table.add_row(
            str(layer.index), layer.name, layer.op, layer.variant, f"{layer.ticks:,}",
            text.percent(layer.ticks, total), f"{layer.ticks / layer.macs:.2f}" if layer.macs else "",
            f"{layer.macs:,}" if layer.macs else "", f"{layer.bytes_read:,}", f"{layer.bytes_written:,}",
            Text("█" * round(_BAR_CELLS * layer.ticks / longest), style="green"),
        )  # fmt: skip
    sums = (f"{total:,}", "", "", f"{sum(layer.macs for layer in layers):,}")
    table.add_row("", "sum", "", "", *sums, style="bold")
    return table


def column_title(unit: str) -> str:
    """What stands over a column of figures; whose instructions they are is said beside the table."""
    return text.unit("instructions" if unit == HOST_INSTRUCTIONS else unit)


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
        share = text.percent(function.instructions, total)
        table.add_row(function.name, f"{function.instructions:,}", share)
    if len(large) < len(functions):
        rest = total - sum(one.instructions for one in large)
        name = f"{len(functions) - len(large)} others"
        table.add_row(name, f"{rest:,}", text.percent(rest, total), style="dim")
    return table
