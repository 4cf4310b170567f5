# SPDX-License-Identifier: Apache-2.0
"""tinyserve sign"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting

if TYPE_CHECKING:
    from tinyserve.compiler.program import Optimize
    from tinyserve.firmware.toolchain import Name as ToolchainName
    from tinyserve.slots.image import Version


@click.command(name="sign", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option("--board", required=True, type=BOARD, help="The board whose slots the images are for.")
@click.option("--key", required=True, type=PATH, metavar="FILE", help="Private key (tinyserve keys new).")
@click.option(
    "--counter", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True,
    help="Security counter: devices refuse images below the one that they last confirmed.",
)  # fmt: skip
@click.option("--version", "number", default="0.0.0", show_default=True, help="As 1.2.3 or 1.2.3+4.")
@click.option("--next-key", type=PATH, metavar="FILE", help="Public key for all images after this one.")
@click.option(
    "--golden", type=click.IntRange(min=0), default=0, show_default=True, metavar="N",
    help="Held-out sample that the device proves itself with.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=PATH, metavar="DIR", help="Where the images go.  [default: BUNDLE/BOARD-images/]"
)
@options.optimize
@options.toolchain
@options.conversion
def command(
    *,
    source: Path,
    board: str,
    key: Path,
    counter: int,
    number: str,
    next_key: Path | None,
    golden: int,
    output: Path | None,
    optimize: Optimize,
    toolchain: ToolchainName,
    converting: Converting,
) -> None:
    """Make signed model images for a board's two slots, in MCUboot's format.

    Each holds the compiled model, linked for its slot, and a golden vector: an input and the bytes that the
    device must compute from it before it serves the model.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.progress import progress
    from tinyserve.slots import keys
    from tinyserve.slots.signing import Signing, sign_bundle

    chosen = boards.load(board)
    signing = Signing(
        key=keys.private(key),
        counter=counter,
        version=_version(number),
        next_key=keys.public(next_key) if next_key else None,
        sample=golden,
        toolchain=toolchain,
    )
    conversion = converting.conversion()
    with progress() as report:
        made = workflow.to_bundle(source, conversion, report)
        directory = output or workflow.inside(made, f"{chosen.id}-images")
        target = workflow.product_target(chosen, optimize, operators=converting.operators)
        images = sign_bundle(made, chosen, signing, directory, target=target, progress=report)
    for image in images:
        echo(
            f"{image.path}: slot {image.slot}, {image.image_bytes:,} bytes "
            f"({image.code_bytes:,} of code and weights), needs {image.memory_bytes:,} bytes of RAM"
        )


def _version(text: str) -> Version:
    from tinyserve.errors import UsageError
    from tinyserve.slots.image import Version

    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\+(\d{1,10}))?", text)
    parts = [int(part or 0) for part in found.groups()] if found else []
    limits = (0xFF, 0xFF, 0xFFFF, 0xFFFFFFFF)
    if not found or any(part > limit for part, limit in zip(parts, limits, strict=True)):
        raise UsageError(f"--version {text}: no version", "write it as 1.2.3, or as 1.2.3+4")
    return Version(*parts)
