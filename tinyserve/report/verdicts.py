# SPDX-License-Identifier: Apache-2.0
"""What broke and by how much: one sentence per budget limit or baseline metric, the same in every report."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from tinyserve.bench.judge.budget import Violation
from tinyserve.bench.judge.compare import Change, Comparison
from tinyserve.report import figures


def violation_text(violation: Violation) -> str:
    """'instructions: 3,200,000, budget 3,000,000 [board.nano33]: 6.7 % over'."""
    limit = violation.limit
    allowed = f"budget {figures.number(limit.value)} [{limit.where}]"
    if violation.value is None or violation.over_percent is None:
        return f"{limit.metric.name}: not measured by this bench, {allowed}"
    side = "over" if limit.metric.better == "lower" else "under"
    return (
        f"{limit.metric.name}: {figures.number(violation.value, 6)}, {allowed}: "
        f"{violation.over_percent:.1f} % {side}"
    )


def regression_text(change: Change) -> str:
    """'arena_bytes: 9,200 → 9,600: 4.3 % worse (tolerance 0 %)'."""
    values = f"{change.metric.name}: {value_text(change.before)} → {value_text(change.after)}"
    if change.worse_percent is None:
        return f"{values}: missing"
    return f"{values}: {change.worse_percent:.2f} % worse (tolerance {change.tolerance_percent:g} %)"


def value_text(value: float | None) -> str:
    return "—" if value is None else figures.number(value, 6)


def change_text(change: Change) -> str:
    """'-3.20 %' as the figure itself moved, whichever way is better."""
    if change.before is None or change.after is None:
        return "—"
    if change.before == change.after:
        return "="
    return f"{100 * (change.after - change.before) / change.before:+.2f} %" if change.before else "new"


def violations_table(violations: list[Violation]) -> Table:
    """The table of broken budgets."""
    table = Table(title="broken budgets", title_justify="left", header_style="dim")
    for column in ("cell", "metric"):
        table.add_column(column)
    for column in ("value", "budget", "beyond it"):
        table.add_column(column, justify="right")
    for violation in violations:
        over = violation.over_percent
        table.add_row(
            violation.cell, violation.limit.metric.name, value_text(violation.value),
            value_text(violation.limit.value), "not measured" if over is None else f"{over:.2f} %",
        )  # fmt: skip
    return table


_STYLES = {
    "better": "green",
    "worse": "bold red",
    "missing": "yellow",
    "within tolerance": "yellow",
    "equal": "dim",
}


def comparison_table(comparison: Comparison) -> Table:
    """Every metric of every cell, before and after."""
    table = Table(header_style="dim")
    for column in ("cell", "metric"):
        table.add_column(column)
    for column in ("before", "after", "change"):
        table.add_column(column, justify="right")
    table.add_column("")
    for change in comparison.changes:
        style = _STYLES[change.verdict]
        table.add_row(
            change.cell, f"{change.metric.name} ({change.metric.unit})", value_text(change.before),
            value_text(change.after), change_text(change), Text(change.verdict, style=style),
        )  # fmt: skip
    return table


def comparison_lines(comparison: Comparison) -> list[str]:
    """What a table has no room for: how the two sides differ in the making, and cells without a partner."""
    return [
        *comparison.differences,
        *(f"only in the first: {title}" for title in comparison.only_before),
        *(f"only in the second: {title}" for title in comparison.only_after),
        *(f"more than once, the last is compared: {title}" for title in comparison.repeated),
    ]
