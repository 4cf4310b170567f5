# SPDX-License-Identifier: Apache-2.0
"""tinyserve build --slots"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve.cli.console import echo, stdout
from tinyserve.cli.options import Making

if TYPE_CHECKING:
    from tinyserve.boards.types import Board


def build_slots(
    source: Path,
    board: Board,
    key: Path,
    making: Making,
    *,
    emulate: bool,
    output: Path | None,
    memory: int | None,
    health: bool,
    secure: Path | None,
    board_name: str,
) -> None:
    """Builds firmware for models like ``source``, and says where it is. Raises UsageError for a board."""
    from tinyserve import workflow
    from tinyserve.cli.progress import progress
    from tinyserve.firmware.build import build
    from tinyserve.locks import alone
    from tinyserve.report.text.firmware import firmware_panel
    from tinyserve.slots import keys
    from tinyserve.slots.body import compile_for_slots
    from tinyserve.slots.firmware import Settings, memory_for, render_slots

    real = board.is_real and not emulate
    public = keys.public(key)
    line_key = keys.public(secure) if secure is not None else None
    conversion = making.converting.conversion()
    with progress() as report:
        made = workflow.to_bundle(source, conversion, report)
        target = workflow.product_target(board, making.optimize, operators=making.converting.operators)
        compiled = compile_for_slots(made.model_bytes(), target)
        directory = output or workflow.inside(made, f"{board.id}-slots")
        with alone(directory, report):
            report("building firmware")
            settings = Settings(
                key=public, memory=memory or memory_for(compiled), health=health, line_key=line_key
            )
            project = render_slots(
                compiled, board, settings, directory, board_name=board_name, emulate=not real
            )
            if real:
                echo(f"{directory}: pio run -d {directory} -t upload (this port has not run on a board)")
                return
            firmware = build(project, making.toolchain, optimize="-Os")
    stdout().print(firmware_panel("slots", firmware, project.board))
    echo(f"{directory}: tinyserve update IMAGE --emulate {directory}")
