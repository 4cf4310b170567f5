# SPDX-License-Identifier: Apache-2.0
"""A built firmware for people: how large it is, by part, against its board."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tinyserve.bench.counts.memory import memory_of
from tinyserve.bench.result import Part
from tinyserve.bench.setup import toolchain_text
from tinyserve.boards.types import Board
from tinyserve.firmware.build import Firmware
from tinyserve.report import figures
from tinyserve.report.text.bench import memory_table


def firmware_panel(name: str, firmware: Firmware, board: Board) -> RenderableType:
    """Where the firmware is, its sizes, and the deepest stack of an invoke."""
    memory = memory_of(firmware, board)
    lines: list[RenderableType] = [
        Text(str(firmware.elf), style="bold"),
        Text(f"{toolchain_text(firmware)} {' '.join(firmware.flags)}", style="dim"),
        Text(),
        memory_table(memory),
        Text(),
        _parts("flash by part", memory.flash_parts),
        Text(),
        _parts("RAM by part", memory.ram_parts),
    ]
    if firmware.stack is not None:
        bound = "" if firmware.stack.complete else " at least"
        path = " → ".join(firmware.stack.invoke_path)
        lines += [Text(), Text(f"stack of an invoke{bound}: {firmware.stack.invoke_bytes} bytes ({path})")]
    return Panel(
        Group(*lines),
        title=Text.assemble((f"{name} for {board.id}", "bold"), f" ({board.name})"),
        title_align="left",
        expand=False,
    )


def _parts(title: str, parts: list[Part]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(title)
    table.add_column("bytes", justify="right")
    table.add_column("", justify="right", style="dim")
    total = sum(part.bytes for part in parts)
    for part in sorted(parts, key=lambda part: -part.bytes):
        table.add_row(part.name, f"{part.bytes:,}", figures.percent(part.bytes, total))
    return table
