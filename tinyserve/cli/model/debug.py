# SPDX-License-Identifier: Apache-2.0
"""tinyserve debug"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.options import SOURCE_HELP, Converting


@click.command(name="debug", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option(
    "--samples", type=click.IntRange(min=1), default=50, show_default=True, help="Held-out samples to run."
)
@click.option(
    "--board",
    default="cortex-m4",
    show_default=True,
    type=BOARD,
    help="The board whose cost per scheme is shown.",
)
@options.conversion
def command(
    *,
    source: Path,
    samples: int,
    board: str,
    converting: Converting,
) -> None:
    """Compare the quantized model with the float one, layer by layer.

    With --representative each remedy (other ranges, layers in float, int16x8) is made and measured.
    """
    from tinyserve import workflow
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.convert.check.debug import diagnose
    from tinyserve.report.text.debug import diagnosis_view

    measure = options.measure_on(board, converting.operators)
    with progress() as report:
        made = workflow.to_bundle(source, converting.conversion(measure=measure), report)
        settings = converting.settings(measure)
        diagnosis = diagnose(made, converting.representative, samples, settings, report)
    stdout().print(diagnosis_view(diagnosis))
