"""Accuracy of a model's forms side by side, for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.accuracy import Summary
from tinyserve.bench.result import BenchResult
from tinyserve.bundle import Bundle
from tinyserve.report import text


def accuracy_view(bundle: Bundle, summary: Summary, result: BenchResult | None) -> RenderableType:
    """A row per form that was run, and the speed of the run on this machine."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(bundle.manifest.name)
    for column in ("right", "samples", "accuracy"):
        table.add_column(column, justify="right", no_wrap=True)
    if result is not None and result.float_top1 is not None and result.accuracy is not None:
        samples = result.accuracy.samples
        _row(table, "float original, this computer", round(result.float_top1 * samples), samples)
    _row(table, f"compiled ({bundle.manifest.quantize}), this computer", summary.correct, summary.labelled)
    if result is not None and result.accuracy is not None:
        _row(
            table,
            f"{result.setup.board}, {text.how(result)}",
            result.accuracy.correct,
            result.accuracy.samples,
        )
    notes = [f"{summary.samples:,} samples, {text.number(summary.samples_per_second)} per second"]
    if summary.resumed:
        notes.append(f"{summary.resumed:,} of them from an earlier run")
    if not summary.labelled:
        notes.append("the data set has no labels")
    return Group(table, Text(", ".join(notes), style="dim"))


def _row(table: Table, name: str, correct: int, samples: int) -> None:
    share = text.percent(correct, samples)
    table.add_row(name, f"{correct:,}", f"{samples:,}", share)
