"""tinyserve debug"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, SOURCE_HELP


@click.command(name="debug", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option(
    "--samples", type=click.IntRange(min=1), default=50, show_default=True, help="Held samples to run."
)
@options.conversion
def command(
    *, source: Path, samples: int, representative: str | None, quantize: str, bundle: Path | None
) -> None:
    """Compare the quantized model with the float one, layer by layer.

    With --representative each remedy (other ranges, layers in float, int16x8) is made and measured.
    """
    from tinyserve import road
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.convert.debug import diagnose
    from tinyserve.report.debug import diagnosis_view

    with progress() as report:
        made = road.to_bundle(source, road.Conversion(representative, quantize, bundle), report)
        diagnosis = diagnose(made, representative, samples, progress=report)
    stdout().print(diagnosis_view(diagnosis))
