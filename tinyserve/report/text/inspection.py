# SPDX-License-Identifier: Apache-2.0
"""What `inspect` says of a compiled model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.counts.layers import arena_blocks
from tinyserve.boards.fit import Fit, demand, fit
from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import Tensor
from tinyserve.convert.tflite import facts
from tinyserve.report import figures
from tinyserve.report.text.program import constant_bytes, layer_name, layer_table, pass_table
from tinyserve.report.text.weights import weights_table


def summary(compiled: Compiled, name: str, boards: Sequence[Board]) -> RenderableType:
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
            f"{report.macs_before:,} MACs become {report.macs_after:,}"
        ),
        Text(),
        _memory(compiled),
        Text(),
        _boards(compiled, boards),
    ]
    return Group(*parts)


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
    for kind, tensors in (("input", program.input_tensors), ("output", program.output_tensors)):
        for tensor in tensors:
            shape = "×".join(map(str, tensor.shape))
            table.add_row(kind, tensor.name, shape, tensor.dtype.value, _quantization(tensor))
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
        Text(f"constants  {figures.size(constant_bytes(compiled))} in flash"),
    )


def _boards(compiled: Compiled, boards: Sequence[Board]) -> RenderableType:
    """The boards by how well the firmware fits, by name only."""
    needs = demand(compiled)
    groups: dict[Fit, list[str]] = {"fits": [], "tight": [], "too large": []}
    for board in boards:
        groups[fit(needs, board)].append(board.id)
    lines = [
        Text(
            f"about {figures.size(needs.flash_bytes)} of flash and {figures.size(needs.ram_bytes)} of RAM "
            "with the bench firmware (an estimate; `build` measures)",
            style="dim",
        )
    ]
    styles: dict[Fit, str] = {"fits": "green", "tight": "yellow", "too large": "red"}
    for verdict, style in styles.items():
        if groups[verdict]:
            lines.append(Text(f"{verdict:10} ", style=style) + Text(", ".join(groups[verdict])))
    return Group(*lines)
