# SPDX-License-Identifier: Apache-2.0
"""A compiled model for people: layers, passes, and the arena as data for pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.result import Layer
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.names import short_name
from tinyserve.compiler.passes import PassReport
from tinyserve.compiler.program import BandCall, Buffer, KernelCall
from tinyserve.compiler.together import Together
from tinyserve.report import figures, layer_groups
from tinyserve.words import counted

_NAMED = 4  # layers that are whole for one reason


def compiled_summary(compiled: Compiled, directory: Path) -> RenderableType:
    """What `compile` wrote, and how to use it."""
    name = compiled.program.name
    sources = " ".join(compiled.sources.compile)
    return Group(
        Text(f"{directory}/{name}.h: ts_{name}_init, {_given(compiled)}, _invoke, _output", style="bold"),
        Text(f"compile {sources} with any C11 compiler, -I {directory}"),
        Text(
            f"arena {figures.size(compiled.plan.arena_bytes)}, "
            f"constants {figures.size(constant_bytes(compiled))}, "
            f"{counted(len(compiled.program.calls), 'layer')}, "
            f"{compiled.report.macs_after:,} MACs{open_loops(compiled.report)}"
        ),
    )


def _given(compiled: Compiled) -> str:
    """How the input is handed over."""
    rows = compiled.program.fed_rows
    return "_input" if rows is None else f"_feed ({rows.height} rows of {rows.row_bytes} bytes)"


def together_summary(together: Together, directory: Path) -> RenderableType:
    """What `compile --share-arena` wrote, and what the arena saves."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("model", "interface"):
        table.add_column(column, overflow="fold")
    for column in ("arena alone", "constants", "MACs"):
        table.add_column(column, justify="right")
    for one, alone in zip(together.compiled, together.alone_bytes, strict=True):
        table.add_row(
            one.name, f"{one.name}.h", f"{alone:,}", f"{constant_bytes(one):,}", f"{one.report.macs_after:,}"
        )
    arena = together.arena
    return Group(
        table,
        Text(
            f"shared arena {figures.size(arena.nbytes)} instead of {figures.size(sum(together.alone_bytes))}",
            "bold",
        ),
        Text(f"compile {' '.join(together.compile)} with any C11 compiler, -I {directory}"),
    )


def constant_bytes(compiled: Compiled) -> int:
    """Bytes of weights and tables in flash."""
    return sum(constant.nbytes for constant in compiled.program.constants)


def rows_lines(compiled: Compiled) -> Iterator[str]:
    """A line per band, the arena without them, and a line per reason for layers whose outputs are whole."""
    note = compiled.program.rows
    if note is None:
        return
    bands = [call for call in compiled.program.calls if isinstance(call, BandCall)]
    fed = compiled.program.fed_rows
    if fed is not None:
        yield f"fed        the input comes in {fed.height} rows of {fed.row_bytes:,} bytes, {fed.rows} in RAM"
    for band in bands:
        first, last = (short_name(stage.layer) for stage in (band.stages[0], band.stages[-1]))
        rows = sorted({stage.rows for stage in band.stages})
        counts = f"{rows[0]}" if len(rows) == 1 else f"{rows[0]} to {rows[-1]}"
        yield (f"by rows    {counted(len(band.stages), 'layer')}, {first} to {last}, {counts} rows at a time")
    if bands:
        yield f"           with whole tensors the arena would be {figures.size(note.whole_bytes)}"
    by_reason: dict[str, list[str]] = {}
    for layer, reason in note.reasons.items():
        by_reason.setdefault(reason, []).append(layer)
    for reason, layers in by_reason.items():
        more = f" and {len(layers) - _NAMED} more" if len(layers) > _NAMED else ""
        yield f"whole      {', '.join(layers[:_NAMED])}{more}: {reason}"


def layer_table(compiled: Compiled) -> Table:
    """The kernel calls in order; of many the alike ones are one row: their MACs together, and the most bytes
    that are live at one of them."""
    calls, arena = compiled.program.calls, compiled.plan.arena_bytes
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right", no_wrap=True)
    for column in ("layer", "operator", "output", "kernel"):
        table.add_column(column, overflow="fold")
    for column in ("MACs", "live bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    rows = layer_groups.rows([_layer(index, call) for index, call in enumerate(calls)])
    for row in rows:
        live = max(_live_bytes(compiled, layer.index) for layer in row.layers)
        table.add_row(
            row.place, row.name, row.first.op, _output(calls[row.first.index]), row.variants,
            f"{row.macs:,}" if row.macs else "", Text(f"{live:,}", style="bold" if live == arena else ""),
        )  # fmt: skip
    note = layer_groups.grouped_note(len(calls), len(rows))
    if note:
        table.caption = f"{note}; --stage program prints each"
        table.caption_justify = "left"
    return table


def _layer(index: int, call: KernelCall) -> Layer:
    """A call as reports know layers; nothing was counted."""
    return Layer(
        index=index,
        name=layer_name(call),
        op=call.op,
        ticks=0,
        macs=call.macs,
        variant=call.variant,
        reason=call.reason,
        bytes_read=0,
        bytes_written=0,
    )


def layer_name(call: KernelCall) -> str:
    """The layer's name for readers; TensorFlow's holds every operator that was fused into it."""
    return short_name(call.layer)


def _output(call: KernelCall) -> str:
    """Shape and type of what a call computes."""
    tensors = [buffer.tensor for buffer in call.writes if buffer.tensor is not None]
    return ", ".join(f"{'×'.join(map(str, tensor.shape))} {tensor.dtype.value}" for tensor in tensors)


def _live_bytes(compiled: Compiled, call: int) -> int:
    """The end of the highest buffer that is kept at a call."""
    plan = compiled.plan
    ends = [
        offset + buffer.nbytes for buffer, offset in plan.offsets.items() if _alive(compiled, buffer, call)
    ]
    return max(ends, default=0)


def _alive(compiled: Compiled, buffer: Buffer, call: int) -> bool:
    life = compiled.plan.lifetimes[buffer]
    return life.first <= call <= life.last


def pass_table(report: PassReport) -> Table:
    """What each pass changed; passes that found nothing are named in one line at the end."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("pass")
    for column in ("changes", "MACs saved"):
        table.add_column(column, justify="right")
    table.add_column("removed or merged", overflow="fold")
    for result in report.passes:
        if result.changes:
            saved = result.macs_before - result.macs_after
            table.add_row(
                result.name, str(result.changes), f"{saved:,}" if saved else "", _some(result.removed)
            )
    idle = [result.name for result in report.passes if not result.changes]
    if idle:
        table.add_row(Text("nothing to do", style="dim"), "", "", Text(", ".join(idle), style="dim"))
    return table


def open_loops(report: PassReport) -> str:
    """What the MACs leave open, as the end of a sentence; empty where nothing is."""
    count = len(report.open_loops)
    if not count:
        return ""
    which = "the loop" if count == 1 else f"each of {count} loops"
    return f" with one turn of {which} whose number of turns depends on data"


def _some(names: tuple[str, ...], shown: int = 6) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
