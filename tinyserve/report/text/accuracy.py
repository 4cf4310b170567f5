# SPDX-License-Identifier: Apache-2.0
"""Accuracy of a model's forms side by side, as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.accuracy.references import References, disagreement
from tinyserve.bench.accuracy.run import Summary
from tinyserve.bench.result import BenchResult
from tinyserve.bundle import Bundle, Score
from tinyserve.quality.limits import Quality, spelled
from tinyserve.quality.orders import doubt_of
from tinyserve.report import figures, quality
from tinyserve.words import counted

_MATRIX_CLASSES = 12  # as many columns as a terminal has room for
_MIXED_UP = 5


def accuracy_view(
    bundle: Bundle,
    summary: Summary,
    references: References | None,
    result: BenchResult | None,
    verdict: Quality | None,
) -> RenderableType:
    """A row per form that was run, which classes the compiled one mixes up, the verdict, and the speed of the
    run."""
    scheme = bundle.manifest.quantize
    rows: list[tuple[str, list[Score], int]] = []
    if references and references.original:
        rows.append(("float original", references.original.scores, references.original.labelled))
    if references and references.interpreted:
        rows.append((f"{scheme}, TFLM", references.interpreted.scores, references.interpreted.labelled))
    rows.append((f"compiled ({scheme}), this computer", summary.scores, summary.labelled))
    if result is not None and result.accuracy is not None and result.accuracy.scores is not None:
        name = f"{result.setup.board}, {figures.how(result)}"
        rows.append((name, result.accuracy.scores.converted, result.accuracy.samples))
    parts: list[RenderableType] = [_table(bundle.manifest.name, rows)]
    wrong = disagreement(bundle, summary, references) if references else ""
    if wrong:
        parts.append(Text(wrong, style="bold red"))
    parts.append(quality.line(verdict))
    mismatch = doubt_of(summary.task, summary.confusion, bundle.manifest.labels)
    if mismatch and (verdict is None or mismatch not in verdict.reasons):
        parts.append(Text(f"✗ {mismatch}", style="bold red"))
    if summary.confusion is not None:
        known = bundle.manifest.labels
        names = (
            known if len(known) == len(summary.confusion) else [str(i) for i in range(len(summary.confusion))]
        )
        parts += [Text(), *_confusion(summary.confusion, names)]
    parts += [Text(), Text(_run(summary), style="dim")]
    parts += [Text(f"note: {note}", style="dim") for note in (references.notes if references else ())]
    return Group(*parts)


def _table(name: str, rows: list[tuple[str, list[Score], int]]) -> Table:
    """A column per metric."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(name)
    metrics = list(dict.fromkeys(score.metric for _, scores, _ in rows for score in scores))
    for column in ("samples", *metrics):
        table.add_column(column, justify="right", no_wrap=True)
    for title, scores, samples in rows:
        found = {score.metric: spelled(score) for score in scores}
        table.add_row(title, f"{samples:,}", *(found.get(metric, "—") for metric in metrics))
    return table


def _run(summary: Summary) -> str:
    notes = [
        f"{summary.task.name} ({summary.task.why})",
        f"{counted(summary.samples, 'sample')}, {figures.number(summary.samples_per_second)} per second",
    ]
    if summary.resumed:
        notes.append(f"{summary.resumed:,} of them from an earlier run")
    if not summary.labelled:
        notes.append("the data set has no labels")
    return ", ".join(notes)


def _confusion(confusion: npt.NDArray[np.int64], names: Sequence[str]) -> list[RenderableType]:
    """The matrix where there is room for it, and the pairs that are mixed up most."""
    parts: list[RenderableType] = []
    if len(confusion) <= _MATRIX_CLASSES:
        parts.append(_matrix(confusion, names))
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MIXED_UP]
    worst = [divmod(int(place), len(wrong)) for place in order]
    pairs = [
        f"{names[label]} as {names[taken]} ({wrong[label, taken]:,})"
        for label, taken in worst
        if wrong[label, taken]
    ]
    if pairs:
        parts.append(Text("most often taken: " + ", ".join(pairs)))
    return parts


def _matrix(confusion: npt.NDArray[np.int64], names: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label \\ taken as", style="dim", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    for label, counts in enumerate(confusion):
        cells = [_cell(int(count), label == taken) for taken, count in enumerate(counts)]
        table.add_row(names[label], *cells)
    return table


def _cell(count: int, right: bool) -> Text:
    return Text(f"{count:,}" if count else "·", style="green" if right else "red" if count else "dim")
