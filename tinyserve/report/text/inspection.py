# SPDX-License-Identifier: Apache-2.0
"""What `inspect` says of a compiled model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.counts.layers import arena_blocks
from tinyserve.boards.fit import Demand, Fit, fit, ram_on
from tinyserve.boards.types import Board, Region
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.dump import places
from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import Tensor
from tinyserve.convert.tflite import facts
from tinyserve.pipeline.make import Description
from tinyserve.report import figures
from tinyserve.report.text.program import (
    constant_bytes,
    layer_name,
    layer_table,
    open_loops,
    pass_table,
    rows_lines,
)
from tinyserve.report.text.weights import weights_table


@dataclass(frozen=True)
class Needs:
    """What the bench firmware takes of the board that was asked for, and of each board there is."""

    board: Board
    demand: Demand
    everywhere: Sequence[tuple[Board, Demand]]


def summary(compiled: Compiled, name: str, needs: Needs) -> RenderableType:
    """Everything at a glance: inputs, layers, passes, memory, boards."""
    report = compiled.report
    parts: list[RenderableType] = [
        Text(name, style="bold")
        + Text(f"  SHA-256 {compiled.model.sha256[:16]}…, {compiled.model.description}", style="dim"),
        Text(),
        _tensors(compiled),
        Text(),
        layer_table(compiled),
        Text(),
        *_weights(compiled),
        pass_table(report),
        Text(
            f"operators: {report.operators_before}, kernel calls: {len(compiled.program.calls)}; "
            f"{report.macs_before:,} MACs become {report.macs_after:,}{open_loops(report)}"
        ),
        Text(),
        _memory(compiled),
        Text(),
        _boards(needs),
    ]
    return Group(*parts)


def nodes_table(description: Description) -> Table:
    """The nodes of a pipeline, in order."""
    table = Table(title="pipeline", title_justify="left", box=None, pad_edge=False, header_style="dim")
    for column in ("node", "kind", "takes", "when", "where", "MACs"):
        table.add_column(column)
    for node in description.nodes:
        macs = f"{node.macs:,}" if node.macs else ""
        row = (node.name, node.kind, ", ".join(node.takes), node.when or "always", node.where, macs)
        table.add_row(*map(Text, row))
    return table


def draw_arena(compiled: Compiled, path: Path, name: str) -> None:
    """The arena over time as a picture file."""
    from tinyserve.report.html.arena_picture import draw

    layers = [layer_name(call) for call in compiled.program.calls]
    total = compiled.plan.arena_bytes
    draw(arena_blocks(compiled), layers, total, path, f"{name}: arena over time")


def _tensors(compiled: Compiled) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "name", "shape", "type", "quantization"):
        table.add_column(column)
    program = compiled.program
    sides = (
        ("input", program.input_names, program.input_tensors),
        ("output", program.output_names, program.output_tensors),
    )
    for kind, names, tensors in sides:
        for name, tensor in zip(names, tensors, strict=True):
            shape = "×".join(map(str, tensor.shape))
            table.add_row(kind, name, shape, tensor.dtype.value, _quantization(tensor))
    return table


def _quantization(tensor: Tensor) -> str:
    if tensor.quantization is None:
        return ""
    if tensor.quantization.per_channel:
        return f"{len(tensor.quantization.scales)} scales"
    return f"{tensor.scale:.6g} × (q − {tensor.zero_point})"


def _weights(compiled: Compiled) -> list[RenderableType]:
    """Of the file, as training left them; the passes may have taken some away."""
    table = weights_table(facts.weights(reader.read(compiled.data)))
    return [] if table is None else [table, Text()]


def _memory(compiled: Compiled) -> RenderableType:
    plan = compiled.plan
    separate = sum(buffer.nbytes for buffer in plan.offsets)
    return Group(
        Text(f"arena      {figures.size(plan.arena_bytes)} for {figures.size(separate)} of buffers"),
        *(Text(f"         {line}") for line in places(plan)),
        Text(f"constants  {figures.size(constant_bytes(compiled))} in flash"),
        *(Text(line) for line in rows_lines(compiled)),
    )


def _boards(needs: Needs) -> RenderableType:
    """What the firmware takes of one board, and all boards by how well it fits, by name only."""
    groups: dict[Fit, list[str]] = {"fits": [], "tight": [], "too large": []}
    for board, demand in needs.everywhere:
        groups[fit(demand, board)].append(board.id)
    lines = [_firmware(needs.board, needs.demand)]
    styles: dict[Fit, str] = {"fits": "green", "tight": "yellow", "too large": "red"}
    for verdict, style in styles.items():
        if groups[verdict]:
            lines.append(Text(f"{verdict:10} ", style=style) + Text(", ".join(groups[verdict])))
    return Group(*lines)


def _firmware(board: Board, needs: Demand) -> Text:
    """Flash and RAM of the bench firmware on a board."""
    about = "about " if needs.estimated else ""
    line = (
        f"bench firmware for {board.id}: {about}{_of(needs.flash_bytes, board.flash)} of flash, "
        f"{_of(ram_on(needs, board), board.ram)} of RAM"
    )
    return Text(line) + Text(f" ({_how_known(board, needs)})", style="dim")


def _of(used: int, region: Region | None) -> str:
    return f"{used:,} bytes" if region is None else f"{used:,} of {region.bytes:,} bytes"


def _how_known(board: Board, needs: Demand) -> str:
    if not needs.estimated:
        return "linked; the Arduino core comes on top" if board.platformio else "linked"
    least, most = needs.flash_range
    why = f"code is estimated: {figures.size(least)} to {figures.size(most)} of flash"
    if board.core.zig_target:
        return f"{why}; pip install 'tinyserve[embedded]' brings the compiler that tells"
    return why
