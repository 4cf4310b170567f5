# SPDX-License-Identifier: Apache-2.0
"""tinyserve export"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting
from tinyserve.words import counted

if TYPE_CHECKING:
    from tinyserve.compiler.program import Feed, Instance, Optimize
    from tinyserve.progress import Progress
    from tinyserve.workflow import Conversion

KINDS = ("arduino", "cmake", "platformio", "zephyr")
LIBRARIES = (
    "arduino", "arduino-library", "cmake", "cmsis-pack", "esp-idf-component", "platformio-library", "rust",
    "stm32cube", "wasm", "zephyr-module",
)  # fmt: skip


@click.command(name="export", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option("--kind", "library", type=click.Choice(LIBRARIES), help="The model as a library of this kind.")
@click.option(
    "--app",
    type=click.Choice(["bench"]),
    help="With --kind arduino: the bench firmware, which answers on the serial port.",
)
@click.option("--as", "kind", type=click.Choice(KINDS), help="The bench firmware as a project of this kind.")
@click.option("--name", metavar="NAME", help="With --kind: the library's name.  [default: the model's]")
@click.option(
    "--release",
    default="1.0.0",
    show_default=True,
    metavar="VERSION",
    help="With --kind: the library's version.",
)
@click.option(
    "--board",
    type=BOARD,
    help="A board.  [default: portable C with --kind, this computer with --as cmake]",
)
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="DIR", help="Directory of what is exported."
)
@options.interface
@options.optimize
@options.feed
@options.conversion
def command(
    *,
    source: Path,
    library: str | None,
    app: str | None,
    kind: str | None,
    name: str | None,
    release: str,
    board: str | None,
    output: Path,
    instance: Instance,
    labels: Path | None,
    optimize: Optimize,
    feed: Feed,
    converting: Converting,
) -> None:
    """Write the model as a library (--kind) or its bench firmware (--as) for another build system.

    An earlier export in DIR is brought up to date; files that were edited or added since are left alone.
    """
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError

    if app is not None:
        if library != "arduino" or kind is not None:
            raise UsageError("--app bench goes with --kind arduino", "other bench firmware: --as KIND")
        library, kind = None, "arduino"
    if library is None and kind is None:
        raise UsageError("export needs a kind", "add --kind for a library, or --as for the bench firmware")
    if library is not None and kind is not None:
        raise UsageError(
            f"--kind {library} and --as {kind}: an export is a library or the bench firmware",
            "leave one of them out, or export twice into two directories",
        )
    conversion = converting.conversion()
    with progress() as report:
        if library is not None:
            files = _library(
                source=source, kind=library, name=name, release=release, board=board, output=output,
                optimize=optimize, feed=feed, instance=instance, labels=labels, conversion=conversion,
                report=report,
            )  # fmt: skip
        else:
            assert kind is not None
            _refuse_for_firmware(name is not None, instance != "static", labels is not None)
            files = _project(
                source=source, kind=kind, board=board, output=output, optimize=optimize, feed=feed,
                conversion=conversion, report=report,
            )  # fmt: skip
    echo(f"{output}: {counted(len(files), 'file')}; how to build them: {output / 'README.md'}")


def _refuse_for_firmware(name: bool, instance: bool, labels: bool) -> None:
    """Raises UsageError for an option of libraries that was given."""
    from tinyserve.errors import UsageError

    for option, given in (("--name", name), ("--instance caller", instance), ("--labels", labels)):
        if given:
            raise UsageError(
                f"{option} goes with --kind", "leave it out: the bench firmware has one static model"
            )


def _library(
    *,
    source: Path,
    kind: str,
    name: str | None,
    release: str,
    board: str | None,
    output: Path,
    optimize: Optimize,
    feed: Feed,
    instance: Instance,
    labels: Path | None,
    conversion: Conversion,
    report: Progress,
) -> list[Path]:
    from tinyserve import boards, workflow
    from tinyserve.firmware.export import Library, export_library

    given = options.read_labels(labels) if labels else ()
    data, title, known = workflow.model_and_labels(source, conversion, report)
    chosen = boards.load(board) if board else None
    report("writing the library")
    library = Library(
        name or workflow.library_name(title), data, title, release, chosen, optimize, given or known,
        conversion.operators, instance, feed=feed,
    )  # fmt: skip
    if labels:
        options.check_labels(library.compiled.program, labels, given)
    return export_library(kind, library, output)


def _project(
    *,
    source: Path,
    kind: str,
    board: str | None,
    output: Path,
    optimize: Optimize,
    feed: Feed,
    conversion: Conversion,
    report: Progress,
) -> list[Path]:
    from tinyserve import boards, workflow
    from tinyserve.errors import UsageError
    from tinyserve.firmware.export import export

    if board is None and kind != "cmake":
        raise UsageError(f"--as {kind} needs a board", "add --board (see `tinyserve boards`)")
    chosen = boards.load(board or "host")
    made = workflow.to_bundle(source, conversion, report)
    compiled = workflow.to_compiled(
        made,
        chosen,
        workflow.Build(optimize, operators=conversion.operators, is_exported=True, feed=feed),
        report,
    )
    identity = made.manifest.mlperf_id or made.manifest.name
    report("writing the project")
    return export(kind, compiled, chosen, output, identity)
