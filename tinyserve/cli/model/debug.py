# SPDX-License-Identifier: Apache-2.0
"""tinyserve debug"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, SOURCE_HELP


@click.command(name="debug", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option(
    "--samples", type=click.IntRange(min=1), default=50, show_default=True, help="Held-out samples to run."
)
@click.option(
    "--board",
    default="cortex-m4",
    show_default=True,
    metavar="NAME",
    help="The board whose cost per scheme is shown.",
)
@options.reading
@options.conversion
def command(
    *,
    source: Path,
    samples: int,
    board: str,
    pixel_range: tuple[float, float] | None,
    stride: int,
    sample_rate: int,
    representative: str | None,
    quantize: str,
    bundle: Path | None,
    operators: tuple[Path, ...],
) -> None:
    """Compare the quantized model with the float one, layer by layer.

    With --representative each remedy (other ranges, layers in float, int16x8) is made and measured.
    """
    from tinyserve import workflow
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.convert.check.debug import diagnose
    from tinyserve.convert.settings import Options
    from tinyserve.datasets.named import Reading
    from tinyserve.report.text.debug import diagnosis_view

    settings = Options(
        operators=operators,
        measure=options.measure_on(board, operators),
        reading=Reading(pixel_range, stride, sample_rate),
    )
    with progress() as report:
        conversion = workflow.Conversion(representative, quantize, bundle, options=settings)
        made = workflow.to_bundle(source, conversion, report)
        diagnosis = diagnose(made, representative, samples, settings, report)
    stdout().print(diagnosis_view(diagnosis))
