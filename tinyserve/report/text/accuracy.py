# SPDX-License-Identifier: Apache-2.0
"""Accuracy of a model's forms side by side, as text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.accuracy.references import References, disagreement
from tinyserve.bench.accuracy.run import Summary
from tinyserve.bench.result import BenchResult
from tinyserve.bundle import Bundle
from tinyserve.report import figures

_MATRIX_CLASSES = 12  # as many columns as a terminal has room for
_MIXED_UP = 5


def accuracy_view(
    bundle: Bundle, summary: Summary, references: References | None, result: BenchResult | None
) -> RenderableType:
    """A row per form that was run, which classes the compiled one mixes up, and the speed of its run."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(bundle.manifest.name)
    for column in ("right", "samples", "accuracy"):
        table.add_column(column, justify="right", no_wrap=True)
    scheme = bundle.manifest.quantize
    if references and references.original:
        _row(table, "float original, LiteRT", references.original.correct, references.original.labelled)
    if references and references.interpreted:
        _row(table, f"{scheme}, TFLM", references.interpreted.correct, references.interpreted.labelled)
    _row(table, f"compiled ({scheme}), this computer", summary.correct, summary.labelled)
    wrong = disagreement(bundle, summary, references) if references else ""
    if result is not None and result.accuracy is not None:
        name = f"{result.setup.board}, {figures.how(result)}"
        _row(table, name, result.accuracy.correct, result.accuracy.samples)
    parts: list[RenderableType] = [table]
    if wrong:
        parts.append(Text(wrong, style="bold red"))
    if summary.confusion is not None:
        parts += [Text(), *_confusion(summary.confusion)]
    parts += [Text(), Text(_run(summary), style="dim")]
    parts += [Text(f"note: {note}", style="dim") for note in (references.notes if references else ())]
    return Group(*parts)


def _run(summary: Summary) -> str:
    notes = [f"{summary.samples:,} samples, {figures.number(summary.samples_per_second)} per second"]
    if summary.resumed:
        notes.append(f"{summary.resumed:,} of them from an earlier run")
    if not summary.labelled:
        notes.append("the data set has no labels")
    return ", ".join(notes)


def _row(table: Table, name: str, correct: int, samples: int) -> None:
    share = figures.percent(correct, samples)
    table.add_row(name, f"{correct:,}", f"{samples:,}", share)


def _confusion(confusion: npt.NDArray[np.int64]) -> list[RenderableType]:
    """The matrix where there is room for it, and the pairs that are mixed up most."""
    parts: list[RenderableType] = []
    if len(confusion) <= _MATRIX_CLASSES:
        parts.append(_matrix(confusion))
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MIXED_UP]
    worst = [divmod(int(place), len(wrong)) for place in order]
    pairs = [f"{label} as {taken} ({wrong[label, taken]:,})" for label, taken in worst if wrong[label, taken]]
    if pairs:
        parts.append(Text("most often taken: " + ", ".join(pairs)))
    return parts


def _matrix(confusion: npt.NDArray[np.int64]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label \\ taken as", style="dim", justify="right")
    for index in range(len(confusion)):
        table.add_column(str(index), justify="right")
    for label, counts in enumerate(confusion):
        cells = [_cell(int(count), label == taken) for taken, count in enumerate(counts)]
        table.add_row(str(label), *cells)
    return table


def _cell(count: int, right: bool) -> Text:
    return Text(f"{count:,}" if count else "·", style="green" if right else "red" if count else "dim")
