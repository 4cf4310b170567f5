# SPDX-License-Identifier: Apache-2.0
"""Markdown for job summaries (GitHub's $GITHUB_STEP_SUMMARY, GitLab notes)."""

from __future__ import annotations

from tinyserve.bench.judge.budget import Violation
from tinyserve.bench.judge.compare import Comparison
from tinyserve.bench.result import BenchReport, BenchResult
from tinyserve.escapes import markdown, markdown_code
from tinyserve.report import figures, quality
from tinyserve.report.verdicts import change_text, value_text, violation_text

_COLUMNS = (
    "model", "board", "instructions p90", "time p90", "estimate", "flash", "RAM", "arena", "outputs",
    "quality", "accuracy", "scenario",
)  # fmt: skip

_MARKS = {"good": "✅", "fair": "⚠️", "poor": "❌"}


def encode(report: BenchReport, violations: list[Violation], comparison: Comparison | None) -> str:
    """The report as GitHub-flavoured Markdown."""
    lines = ["## tinyserve bench", "", *_results(report)]
    if violations:
        lines += ["", "### ❌ Broken budgets", ""]
        lines += [f"- **{_cell(item.cell)}**: {_cell(violation_text(item))}" for item in violations]
    if comparison is not None:
        lines += ["", "### Against the baseline", "", *_comparison(comparison)]
    for failure in report.failures:
        lines += ["", f"❌ **{_cell(failure.model)} on {_cell(failure.board)}** failed:", "", "```"]
        lines += [markdown_code(failure.error), "```"]
    return "\n".join(lines) + "\n"


def _results(report: BenchReport) -> list[str]:
    lines = [_row(_COLUMNS), _row(["---", "---", *["---:"] * 6, "---", "---", "---:", "---"])]
    return lines + [_row(_result(result)) for result in report.results]


def _result(result: BenchResult) -> list[str]:
    latency, memory = result.latency, result.memory
    counted = latency.unit == "instructions"
    return [
        result.model.name,
        f"{result.place}, {figures.how(result)}",
        figures.number(latency.p90) if counted else "",
        "" if counted else figures.headline(result),
        figures.estimate(result.latency_ms) if result.latency_ms else "",
        figures.size(memory.flash_bytes),
        figures.size(memory.ram_bytes),
        figures.size(memory.arena_bytes),
        _outputs(result),
        _quality(result),
        figures.accuracy(result),
        figures.scenario(result),
    ]


def _outputs(result: BenchResult) -> str:
    if result.check is None:
        return ""
    mark = "✅" if result.check.passed else "❌"
    return f"{mark} {result.check.equal}/{result.check.samples} equal"


def _quality(result: BenchResult) -> str:
    return f"{_MARKS[result.quality.grade]} {quality.sentence(result.quality)}" if result.quality else ""


def _comparison(comparison: Comparison) -> list[str]:
    columns = ("cell", "metric", "before", "after", "change", "")
    lines = [_row(columns), _row(["---", "---", "---:", "---:", "---:", "---"])]
    for change in comparison.changes:
        mark = "❌ " if change.regressed else ""
        lines.append(_row([
            change.cell, change.metric.name, value_text(change.before), value_text(change.after),
            change_text(change), f"{mark}{change.verdict}",
        ]))  # fmt: skip
    lines += ["", *(f"- {_cell(difference)}" for difference in comparison.differences)]
    lines += [f"- only in the baseline: {_cell(title)}" for title in comparison.only_before]
    lines += [f"- new: {_cell(title)}" for title in comparison.only_after]
    return lines


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: str) -> str:
    return markdown(value.replace("\n", " "))
