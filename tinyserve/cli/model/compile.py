# SPDX-License-Identifier: Apache-2.0
"""tinyserve compile"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, SOURCE_HELP

if TYPE_CHECKING:
    from tinyserve.compiler.program import Instance, Optimize


@click.command(name="compile", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="DIR", help="Directory of the generated C files."
)
@click.option(
    "--name", default="model", show_default=True, help="Prefix of files and functions: ts_NAME_init."
)
@click.option(
    "--board",
    "--target",
    metavar="NAME",
    help="Use the instructions of this board's core.  [default: portable C]",
)
@click.option(
    "--instance",
    type=click.Choice(["static", "caller"]),
    default="static",
    show_default=True,
    help="One static model, or contexts and arenas of the caller's: ts_NAME_init(&self, arena).",
)
@options.optimize
@options.choices
@options.conversion
def command(
    *,
    source: Path,
    output: Path,
    name: str,
    board: str | None,
    instance: Instance,
    optimize: Optimize,
    variants: tuple[str, ...],
    tuned: Path | None,
    representative: str | None,
    quantize: str,
    bundle: Path | None,
    operators: tuple[Path, ...],
) -> None:
    """Write standalone C11 for your own firmware: NAME.c, NAME.h, NAME_weights.c and the kernels used.

    NAME.hpp wraps the same functions for C++.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.compiler.compile import compile_model, write
    from tinyserve.compiler.program import Interface
    from tinyserve.report.text.program import compiled_summary

    chosen = boards.load(board) if board else None
    with progress() as report:
        conversion = workflow.Conversion(representative, quantize, bundle, operators=operators)
        data, _ = workflow.model_bytes(source, conversion, report)
        report("compiling")
        choices = options.chosen_variants(variants, tuned, data)
        target = workflow.target(chosen, optimize, choices, operators)
        compiled = compile_model(data, target, name, interface=Interface(instance))
        write(compiled, output)
    stdout().print(compiled_summary(compiled, output))
