# SPDX-License-Identifier: Apache-2.0
"""What a bench ends in: the report in every form that was asked for, and the exit status."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyserve.bench import result
from tinyserve.bench.judge import budget as budgets
from tinyserve.bench.judge import compare
from tinyserve.bench.judge.budget import Violation
from tinyserve.bench.judge.compare import Comparison
from tinyserve.bench.matrix.run import STOPS
from tinyserve.bench.result import BenchReport
from tinyserve.cli.console import echo, stdout
from tinyserve.errors import BudgetError, StoppedError, UsageError
from tinyserve.files import check_writable, write
from tinyserve.quality.gates import NO_GATES, Gates
from tinyserve.report import forms
from tinyserve.report.forms import FORMS

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Outputs:
    """The options of `options.reports`."""

    files: dict[str, Path]
    """By the form's name."""
    github_summary: bool
    budget: Path | None
    baseline: Path | None
    tolerances: tuple[str, ...]

    @classmethod
    def of(cls, **reports: Any) -> Outputs:
        """From the arguments of a command with `options.reports`."""
        given = {name: reports.pop(name) for name in FORMS}
        return cls(files={name: path for name, path in given.items() if path is not None}, **reports)

    def check(self) -> None:
        """Finds before the run what would fail after it: paths that can't be written, bad budget files."""
        for path in self.files.values():
            check_writable(path)
        if self.github_summary:
            summary = os.environ.get(SUMMARY_VARIABLE)
            if not summary:
                raise UsageError(
                    f"--github-summary: ${SUMMARY_VARIABLE} is not set",
                    "use --markdown FILE outside GitHub Actions",
                )
            check_writable(Path(summary))
        if self.budget is not None:
            budgets.load(self.budget)
        if self.baseline is not None:
            if not result.load(self.baseline).results:
                raise BudgetError(
                    f"{self.baseline} holds no results: nothing would be compared",
                    "make it with `tinyserve bench ... --json`",
                )
        elif self.tolerances:
            raise UsageError("--tolerance is about a baseline", "add --baseline, or leave --tolerance out")
        compare.parse_tolerances(self.tolerances)


def conclude(report: BenchReport, outputs: Outputs, gates: Gates = NO_GATES) -> int:
    """Prints and writes the report. Returns the exit status of the first cell that failed, 0 where none did.

    Raises StoppedError where a signal kept cells from being done, and BudgetError for broken budgets,
    regressions, wrong outputs and quality below the gates.
    """
    violations = _violations(report, outputs)
    comparison = _comparison(report, outputs)
    _print(report, violations, comparison)
    _say_idle(report, outputs)
    _write(report, violations, comparison, outputs)
    _check_stopped(report)
    wrong = [item for item in report.results if item.check and not item.check.passed]
    regressions = comparison.regressions if comparison else []
    gaps = comparison.gaps if comparison and not report.failures else []
    broken = [
        *(f"{outputs.baseline}: {gap}" for gap in gaps),
        _unlimited(report, outputs),
        f"{len(violations)} budget limits broken" if violations else "",
        f"{len(regressions)} figures worse than the baseline" if regressions else "",
        *(said for item in report.results for said in gates.broken(item.quality, item.title)),
        f"wrong outputs: {', '.join(item.title for item in wrong)}" if wrong else "",
    ]
    if any(broken):
        raise BudgetError("; ".join(part for part in broken if part))
    return report.failures[0].exit_status if report.failures else 0


def _check_stopped(report: BenchReport) -> None:
    left = [failure for failure in report.failures if failure.exit_status in STOPS]
    if left:
        total = len(report.results) + len(report.failures)
        status = left[0].exit_status
        done = f"{total - len(left)} of {total} cells are done and reported"
        raise StoppedError(f"{STOPS[status]}: {done}; run it again for the others", status)


def _violations(report: BenchReport, outputs: Outputs) -> list[Violation]:
    if outputs.budget is None:
        return []
    limits = budgets.load(outputs.budget)
    return [violation for item in report.results for violation in limits.check(item)]


def _unlimited(report: BenchReport, outputs: Outputs) -> str:
    """What to say where the budget limits nothing of this bench: it can't have been kept."""
    if outputs.budget is None or report.failures:
        return ""
    limits = budgets.load(outputs.budget)
    if any(limits.limits(item.model.name, item.setup.board) for item in report.results):
        return ""
    cells = ", ".join(item.title for item in report.results)
    return f"{outputs.budget}: nothing was checked: none of its tables is about {cells}"


def _say_idle(report: BenchReport, outputs: Outputs) -> None:
    """A table of the budget file that concerns no cell is more often a misspelt name than none at all."""
    if outputs.budget is None:
        return
    for where in budgets.load(outputs.budget).idle(report.results):
        echo(f"note: {outputs.budget}: [{where}] concerns none of these cells", err=True)


def _comparison(report: BenchReport, outputs: Outputs) -> Comparison | None:
    if outputs.baseline is None:
        return None
    tolerances = compare.parse_tolerances(outputs.tolerances)
    return compare.compare(result.load(outputs.baseline), report, tolerances)


def _print(report: BenchReport, violations: list[Violation], comparison: Comparison | None) -> None:
    from tinyserve.report.text import bench as terminal
    from tinyserve.report.verdicts import comparison_lines, comparison_table, violations_table

    console = stdout()
    terminal.show(report, console)
    if comparison is not None:
        console.print(comparison_table(comparison))
        for line in comparison_lines(comparison):
            console.print(line, markup=False)
    if violations:
        console.print(violations_table(violations))


def _write(
    report: BenchReport, violations: list[Violation], comparison: Comparison | None, outputs: Outputs
) -> None:
    for form, path in outputs.files.items():
        write(path, forms.encode(form, report, violations, comparison))
    if outputs.github_summary:
        summary = Path(os.environ[SUMMARY_VARIABLE])
        summary.parent.mkdir(parents=True, exist_ok=True)
        with summary.open("a", encoding="utf-8") as file:
            file.write(forms.encode("markdown", report, violations, comparison).decode())
