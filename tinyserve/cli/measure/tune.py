# SPDX-License-Identifier: Apache-2.0
"""tinyserve tune"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, EMULATOR, SOURCE
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting

if TYPE_CHECKING:
    from tinyserve.compiler.program import Optimize
    from tinyserve.firmware.toolchain import Name as ToolchainName


@click.command(name="tune", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option("--board", required=True, type=BOARD, help="The board, or its twin for a real one.")
@options.twin_anyway
@click.option(
    "--emulator",
    type=EMULATOR,
    help="The emulator, where the board has both: unicorn or qemu.",
)
@click.option("-o", "--output", type=PATH, metavar="FILE", help="File for the choices, which --tuned reads.")
@options.optimize
@options.toolchain
@options.conversion
def command(
    *,
    source: Path,
    board: str,
    emulator: str | None,
    output: Path | None,
    optimize: Optimize,
    toolchain: ToolchainName,
    converting: Converting,
) -> None:
    """Count the instructions of each layer with each of its kernel variants, and keep the fastest.

    `compile --tuned FILE` and `profile --tuned FILE` use what was found.
    """
    import msgspec

    from tinyserve import boards, files, workflow
    from tinyserve.bench.counts import tuning
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.report.text.tuning import tuning_view

    if output is not None:
        files.check_writable(output)
    chosen = boards.load(board)
    kind = workflow.choose_emulator(chosen, True, emulator, None) or ""
    build = workflow.Build(
        optimize=optimize,
        toolchain=toolchain,
        emulate=workflow.is_twin(chosen),
        operators=converting.operators,
    )
    with progress() as report:
        made = workflow.to_bundle(source, converting.conversion(), report)
        found = tuning.run(made, chosen, build, kind, report)
    stdout().print(tuning_view(found, made.manifest.name))
    if output is not None:
        files.write(output, msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
