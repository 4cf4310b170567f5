# SPDX-License-Identifier: Apache-2.0
"""tinyserve compare"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli.options import PATH


@click.command(name="compare")
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
@click.option(
    "--tolerance", "tolerances", multiple=True, metavar="METRIC=PERCENT",
    help="Tolerance of a metric; repeatable.  [default: 0 for counts and sizes]",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with status 3 where something got worse.")
def command(*, before: Path, after: Path, tolerances: tuple[str, ...], strict: bool) -> None:
    """Compare two results that `bench --json` wrote: what changed, and by how much."""
    from tinyserve.bench import result
    from tinyserve.bench.judge import compare
    from tinyserve.cli.console import stdout
    from tinyserve.errors import BudgetError
    from tinyserve.report.verdicts import comparison_lines, comparison_table

    allowed = compare.parse_tolerances(tolerances)
    found = compare.compare(result.load(before), result.load(after), allowed, side_by_side=not strict)
    console = stdout()
    console.print(comparison_table(found))
    for line in comparison_lines(found):
        console.print(line, markup=False)
    if strict and found.gaps:
        raise BudgetError("; ".join(found.gaps), "compare results of the same models, boards and options")
    if strict and found.regressions:
        raise BudgetError(f"{len(found.regressions)} figures are worse than in {before}")
