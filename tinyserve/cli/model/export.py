# SPDX-License-Identifier: Apache-2.0
"""tinyserve export"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH, SOURCE_HELP

if TYPE_CHECKING:
    from tinyserve.compiler.program import Optimize

KINDS = ("platformio", "arduino", "cmake", "zephyr")


@click.command(name="export", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option("--as", "kind", type=click.Choice(KINDS), required=True, help="The build system.")
@click.option("--board", metavar="NAME", help="A board.  [default for cmake: this computer]")
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="DIR", help="Directory of the exported project."
)
@options.optimize
@options.conversion
def command(
    *,
    source: Path,
    kind: str,
    board: str | None,
    output: Path,
    optimize: Optimize,
    representative: str | None,
    quantize: str,
    bundle: Path | None,
    operators: tuple[Path, ...],
) -> None:
    """Write a stand-alone project for another build system.

    An earlier export in DIR is brought up to date; files that were edited or added since are left alone.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError
    from tinyserve.firmware.export import export

    if board is None and kind != "cmake":
        raise UsageError(f"--as {kind} needs a board", "add --board (see `tinyserve boards`)")
    chosen = boards.load(board or "host")
    with progress() as report:
        conversion = workflow.Conversion(representative, quantize, bundle, operators=operators)
        made = workflow.to_bundle(source, conversion, report)
        compiled = workflow.to_compiled(made, chosen, workflow.Build(optimize, operators=operators), report)
        identity = made.manifest.mlperf_id or made.manifest.name
        report("writing the project")
        files = export(kind, compiled, chosen, output, identity)
    echo(f"{output}: {len(files)} files; how to build them: {output / 'README.md'}")
