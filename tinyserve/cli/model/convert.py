# SPDX-License-Identifier: Apache-2.0
"""tinyserve convert"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SCHEME, SOURCE
from tinyserve.cli.options import PATH, QUANTIZE_HELP, REPRESENTATIVE_HELP, SOURCE_HELP

if TYPE_CHECKING:
    from tinyserve.datasets.named import Reading
    from tinyserve.quality.gates import Gates


@click.command(name="convert", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option("--representative", metavar="DATA", help=REPRESENTATIVE_HELP)
@click.option("--quantize", default="int8", show_default=True, type=SCHEME, help=QUANTIZE_HELP)
@click.option("-o", "--output", type=PATH, metavar="DIR", help="The bundle.  [default: build/NAME.bundle]")
@click.option("--name", help="The model's name.  [default: the file's]")
@click.option(
    "--samples",
    metavar="DATA",
    help="Check the model with these samples instead of a part of the representative data.",
)
@click.option(
    "--labels", type=PATH, metavar="FILE", help="Names of the classes, one per line, in the outputs' order."
)
@options.loading
@click.option(
    "--per-layer",
    "layers",
    multiple=True,
    metavar="keep=TENSOR:float32",
    help="Keep the operator that writes this tensor in float32; repeatable.",
)
@click.option(
    "--per-tensor", is_flag=True, help="Use one scale per weight tensor instead of one per channel."
)
@click.option(
    "--clip",
    default="",
    metavar="HOW",
    help="Clip activation ranges to a percentile (99.9), or to the least squared error ('mse').",
)
@click.option(
    "--min-accuracy",
    type=click.FloatRange(0, 1),
    default=0.98,
    show_default=True,
    help="The share of the original's accuracy that --quantize auto must keep.",
)
@click.option(
    "--board",
    default="cortex-m4",
    show_default=True,
    type=BOARD,
    help="The board whose costs --quantize auto shows.",
)
@click.option(
    "--engine",
    type=click.Choice(["aot", "tflm"]),
    default="aot",
    show_default=True,
    help="The engine that must run the model; tflm also accepts models that only the interpreter runs.",
)
@options.keep_layout
@options.gates
@click.option(
    "--features",
    type=PATH,
    metavar="SPEC",
    help="Put the features of this specification (features.toml) in front of the model, which then takes raw "
    "samples; so does the data.",
)
@options.operators
@options.reading
@click.option(
    "--mlperf-id",
    default="",
    metavar="ID",
    help="The MLPerf Tiny benchmark (ad01, kws01, ic01, ic02, vww01, sww01), if it cannot be derived.",
)
def command(
    *,
    source: Path,
    representative: str | None,
    quantize: str,
    output: Path | None,
    name: str | None,
    samples: str | None,
    labels: Path | None,
    wanted_quality: Gates,
    shapes: tuple[str, ...],
    signature: str,
    custom: tuple[str, ...],
    layers: tuple[str, ...],
    per_tensor: bool,
    clip: str,
    min_accuracy: float,
    trust: bool,
    board: str,
    engine: str,
    keep_layout: bool,
    features: Path | None,
    operators: tuple[Path, ...],
    reading: Reading,
    mlperf_id: str,
) -> None:
    """Quantize a trained model, check it against the original, and write a bundle."""
    from tinyserve import workflow
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.convert.settings import Options
    from tinyserve.errors import BudgetError
    from tinyserve.features import spec
    from tinyserve.quality.limits import of_bundle
    from tinyserve.report.text.bundle import bundle_panel

    given = None if features is None else spec.load(features)
    settings = Options(
        input_shapes=tuple(options.shape(text) for text in shapes),
        signature=signature,
        custom=custom,
        keep_float=tuple(_kept(text) for text in layers),
        per_channel=not per_tensor,
        clip=clip,
        engine=engine,
        operators=operators,
        min_accuracy=min_accuracy,
        trust=trust,
        keep_layout=keep_layout,
        features=given,
        mlperf_id=mlperf_id,
        labels=options.read_labels(labels) if labels else (),
        measure=options.measure_on(board, operators),
        float_share=options.floats_on(board, operators),
        reading=reading if given is None else reading.in_front_of_features(given.input.rate_hz),
    )
    conversion = workflow.Conversion(
        representative, quantize, output, name, samples, settings, operators=operators
    )
    with progress() as report:
        made = workflow.to_bundle(source, conversion, report)
    stdout().print(bundle_panel(made))
    broken = wanted_quality.broken(of_bundle(made.manifest))
    if broken:
        raise BudgetError(
            "; ".join(broken), f"{made.path} is written; `tinyserve debug` shows what would help"
        )


def _kept(text: str) -> str:
    """The tensor of 'keep=TENSOR:float32'. Raises UsageError."""
    from tinyserve.errors import UsageError

    tensor = text.removeprefix("keep=").removesuffix(":float32")
    if f"keep={tensor}:float32" != text or not tensor:
        raise UsageError(
            f"--per-layer {text}: expected keep=TENSOR:float32", "--per-layer keep=softmax:float32"
        )
    return tensor
