# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page: pictures are inline SVG, nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from tinyserve import __version__
from tinyserve.bench.judge.budget import Violation
from tinyserve.bench.judge.compare import Comparison
from tinyserve.bench.result import BenchReport, BenchResult
from tinyserve.escapes import terminal
from tinyserve.report import figures, quality
from tinyserve.report.html import svg
from tinyserve.report.layer_groups import Row, heaviest, rows
from tinyserve.report.verdicts import change_text, comparison_lines, value_text

_GRADE_CLASS = {"good": "good", "fair": "warn", "poor": "bad"}
_CONFUSION_CLASSES = 40  # more do not fit a page


@dataclass(frozen=True)
class _Cell:
    """A result with its pictures."""

    result: BenchResult
    anchor: str
    share: float  # of the largest latency in its unit, in %
    histogram: Markup
    arena: Markup
    trace: Markup
    rows: list[Row]
    heaviest: list[Row]  # those of the chart
    confusion: list[list[tuple[int, float]]]  # count, share of its row
    classes: list[str]  # names of its rows

    @property
    def longest(self) -> float:
        """The largest share in the chart of layers."""
        return max((row.share for row in self.heaviest), default=0)

    @property
    def varies(self) -> bool:
        """Whether latencies differ: those of emulators do not, and a distribution of them says nothing."""
        return len(set(self.result.latencies)) > 1


def encode(report: BenchReport, violations: list[Violation], comparison: Comparison | None) -> str:
    """The page as text."""
    title = report.results[0].title if len(report.results) == 1 else "tinyserve bench"
    return page("page.html.j2").render(
        title=title, version=__version__, created=max((r.created_utc for r in report.results), default=""),
        cells=[_cell(result, index, report) for index, result in enumerate(report.results)],
        matrix=len(report.results) + len(report.failures) > 1,
        failures=report.failures, violations=violations, comparison=comparison,
        text=figures, value_text=value_text, change_text=change_text, comparison_lines=comparison_lines,
        outputs=_outputs, of=_of, scores=quality.scores, grade_class=_GRADE_CLASS,
    )  # fmt: skip


def page(name: str) -> jinja2.Template:
    """One of the templates beside this file; what is put into it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tinyserve.report", "html"), autoescape=True, trim_blocks=True,
        undefined=jinja2.StrictUndefined, finalize=_visible,
    )  # fmt: skip
    return environment.get_template(name)


def _visible(value: object) -> object:
    """Before the escaping: controls in names are shown. Pictures are escaped already."""
    return terminal(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def shares(ticks: Sequence[int]) -> list[tuple[str, str]]:
    """Of each figure: its share of the sum in %, and the length of its bar in % of the longest."""
    total, longest = sum(ticks) or 1, max(ticks, default=0) or 1
    return [(f"{100 * value / total:.1f}", f"{100 * value / longest:.2f}") for value in ticks]


def _cell(result: BenchResult, index: int, report: BenchReport) -> _Cell:
    unit = result.latency.unit
    largest = max(other.latency.p90 for other in report.results if other.latency.unit == unit)
    trace = result.energy.trace if result.energy else None
    found = rows(result.layers)
    confusion = _confusion(result)
    names = result.accuracy.classes if result.accuracy else []
    return _Cell(
        result=result,
        anchor=f"cell-{index}",
        share=round(100 * result.latency.p90 / largest, 2) if largest else 0,
        histogram=Markup(svg.histogram(result.latencies, unit)) if result.latencies else Markup(),
        arena=Markup(svg.arena(result.arena, [layer.name for layer in result.layers]))
        if result.arena
        else Markup(),
        trace=Markup(svg.energy_trace(trace)) if trace and trace.time_us else Markup(),
        rows=found,
        heaviest=heaviest(found),
        confusion=confusion,
        classes=names or [str(index) for index in range(len(confusion))],
    )


def _confusion(result: BenchResult) -> list[list[tuple[int, float]]]:
    rows = result.accuracy.confusion if result.accuracy else []
    if len(rows) > _CONFUSION_CLASSES:
        return []
    return [[(count, round(count / (sum(row) or 1), 3)) for count in row] for row in rows]


def _outputs(result: BenchResult) -> str:
    return f"{result.check.equal} of {result.check.samples} equal" if result.check else ""


def _of(used: int, limit: int | None) -> str:
    return f"{figures.percent(used, limit)} of {limit:,}" if limit else ""
