# SPDX-License-Identifier: Apache-2.0
"""tinyserve compile"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting
from tinyserve.words import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tinyserve.compiler.program import Feed, Instance, Optimize, Target


@click.command(name="compile", epilog=SOURCE_HELP)
@click.argument("sources", type=SOURCE, nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o", "--output", type=PATH, required=True, metavar="DIR", help="Directory of the generated C files."
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="Prefix of files and functions: ts_NAME_init; once per source.  [default: model]",
)
@click.option(
    "--share-arena", is_flag=True, help="Several models in one arena: as large as the largest, not the sum."
)
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME",
    help="With --share-arena: this model's outputs outlive the others' inferences; repeatable.",
)
@click.option(
    "--board",
    "--target",
    type=BOARD,
    help="Use the instructions of this board's core.  [default: portable C]",
)
@options.interface
@options.optimize
@options.feed
@options.choices
@options.conversion
def command(
    *,
    sources: tuple[Path, ...],
    output: Path,
    names: tuple[str, ...],
    share_arena: bool,
    keep: tuple[str, ...],
    board: str | None,
    instance: Instance,
    labels: Path | None,
    optimize: Optimize,
    feed: Feed,
    variants: tuple[str, ...],
    tuned: Path | None,
    converting: Converting,
) -> None:
    """Write standalone C11 for your own firmware: NAME.c, NAME.h, NAME_weights.c and the kernels used.

    NAME.hpp wraps the same functions for C++. Several models go into one directory; they share kernels, and
    with --share-arena their arena.
    """
    from tinyserve import boards, workflow
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.compiler.compile import compile_model, write
    from tinyserve.compiler.program import Interface
    from tinyserve.compiler.together import check_names, side_by_side
    from tinyserve.report.text.program import compiled_summary

    chosen = boards.load(board) if board else None
    _check(sources, names, share_arena, keep, bool(variants or tuned or converting.bundle or labels))
    given = options.read_labels(labels) if labels else ()
    with progress() as report:
        conversion = converting.conversion()
        found = [workflow.model_and_labels(source, conversion, report) for source in sources]
        found = [(data, title, given or known) for data, title, known in found]
        called = names or _names([title for _, title, _ in found])
        report("compiling")
        choices = options.chosen_variants(variants, tuned, found[0][0])
        target = workflow.product_target(chosen, optimize, choices, converting.operators, feed)
        if share_arena:
            together = _together(
                models=found, names=called, keep=keep, target=target, instance=instance, output=output
            )
            stdout().print(together)
            return
        compiled = [
            compile_model(data, target, name, interface=Interface(instance, labels=known))
            for (data, _, known), name in zip(found, called, strict=True)
        ]
        check_names([one.name for one in compiled])
        if labels:
            options.check_labels(compiled[0].program, labels, given)
        side_by_side([one.sources.files for one in compiled])
        for one in compiled:
            write(one, output)
    for one in compiled:
        stdout().print(compiled_summary(one, output))


def _check(
    sources: tuple[Path, ...], names: tuple[str, ...], share_arena: bool, keep: tuple[str, ...], single: bool
) -> None:
    """Raises UsageError for options that do not go together."""
    from tinyserve.errors import UsageError

    if names and len(names) != len(sources):
        raise UsageError(
            f"{counted(len(names), 'name')} for {counted(len(sources), 'model')}",
            "give --name once per source, or none",
        )
    if keep and not share_arena:
        raise UsageError("--keep goes with --share-arena", "an arena of its own is kept anyway")
    if single and len(sources) > 1:
        raise UsageError(
            "--variant, --tuned, --bundle and --labels are for one model",
            "compile one by one, or leave them out",
        )


def _names(titles: list[str]) -> tuple[str, ...]:
    """Names of models that were given none."""
    from tinyserve import workflow

    return ("model",) if len(titles) == 1 else tuple(map(workflow.library_name, titles))


def _together(
    *,
    models: list[tuple[bytes, str, tuple[str, ...]]],
    names: tuple[str, ...],
    keep: tuple[str, ...],
    target: Target,
    instance: Instance,
    output: Path,
) -> RenderableType:
    """Models into one arena; what was written."""
    from tinyserve.compiler.compile import write_files
    from tinyserve.compiler.together import Member, compile_together
    from tinyserve.errors import UsageError
    from tinyserve.report.text.program import together_summary

    for name in keep:
        if name not in names:
            raise UsageError(f"--keep {name}: no model of that name", f"there are {', '.join(names)}")
    members = [
        Member(name, data, name in keep, labels)
        for (data, _, labels), name in zip(models, names, strict=True)
    ]
    together = compile_together(members, target, instance)
    write_files(together.files, output)
    return together_summary(together, output)
