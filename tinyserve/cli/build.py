"""tinyserve build"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, SOURCE_HELP

if TYPE_CHECKING:
    from tinyserve.codegen.program import Optimize
    from tinyserve.firmware.toolchain import Name as ToolchainName


@click.command(name="build", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option(
    "--board", required=True, metavar="NAME", help="A board's name (see `tinyserve boards`) or a .toml."
)
@click.option("--emulate", is_flag=True, help="Build for the board's twin.")
@click.option(
    "-o", "--output", type=PATH, metavar="DIR", help="Where the project goes.  [default: BUNDLE/BOARD/]"
)
@options.optimize
@options.operators
@options.choices
@options.engine
@options.toolchain
@options.conversion
def command(
    *,
    source: Path,
    board: str,
    emulate: bool,
    output: Path | None,
    optimize: Optimize,
    variants: tuple[str, ...],
    tuned: Path | None,
    engine: str,
    toolchain: ToolchainName,
    representative: str | None,
    quantize: str,
    bundle: Path | None,
) -> None:
    """Build the firmware for a board and report its size by part."""
    from tinyserve import boards, road
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.report.firmware import firmware_panel

    chosen = boards.load(board)
    with progress() as report:
        made = road.to_bundle(source, road.Conversion(representative, quantize, bundle), report)
        choices = options.chosen_variants(variants, tuned, made.model_bytes())
        compiled = road.to_compiled(made, chosen, optimize, report, engine=engine, choices=choices)
        how = road.Build(optimize, engine, toolchain, emulate, output, choices)
        firmware = road.to_firmware(made, compiled, chosen, how, report)
    stdout().print(firmware_panel(made.manifest.name, firmware, chosen))
