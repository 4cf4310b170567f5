"""tinyserve convert"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli.options import PATH, SOURCE_HELP


@click.command(name="convert", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option(
    "--representative", type=PATH, metavar="DATA",
    help="Typical inputs for quantization: .npz, .npy or a directory of .npy.",
)  # fmt: skip
@click.option("--quantize", default="int8", show_default=True, metavar="TYPE", help="int8 or float32.")
@click.option("-o", "--output", type=PATH, metavar="DIR", help="The bundle.  [default: build/NAME.bundle]")
@click.option("--name", help="The model's name.  [default: the file's]")
def command(
    *, source: Path, representative: Path | None, quantize: str, output: Path | None, name: str | None
) -> None:
    """Quantize a trained model, check it against the original, and write a bundle."""
    from tinyserve import road
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.report.bundle import bundle_panel

    conversion = road.Conversion(representative, quantize, output, name)
    with progress() as report:
        made = road.to_bundle(source, conversion, report)
    stdout().print(bundle_panel(made))
