# SPDX-License-Identifier: Apache-2.0
"""Two results side by side: what changed, by how much, and whether that is more than the tolerance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tinyserve.bench.judge.metrics import METRICS, Metric, named
from tinyserve.bench.result import BenchReport, BenchResult, Setup
from tinyserve.errors import UsageError
from tinyserve.words import counted

Verdict = Literal["equal", "better", "worse", "within tolerance", "missing"]


@dataclass(frozen=True)
class Change:
    """One metric of one cell in both results. ``worse_percent`` is negative where it got better."""

    cell: str
    metric: Metric
    before: float | None
    after: float | None
    tolerance_percent: float

    @property
    def worse_percent(self) -> float | None:
        if self.before is None or self.after is None:
            return None
        return self.metric.worse_by_percent(self.after, self.before)

    @property
    def verdict(self) -> Verdict:
        worse = self.worse_percent
        if worse is None:
            return "missing"
        if worse > self.tolerance_percent:
            return "worse"
        if worse > 0:
            return "within tolerance"
        return "better" if worse < 0 else "equal"

    @property
    def regressed(self) -> bool:
        """Worse than tolerated, or a figure that the baseline has and the new result lacks."""
        return self.verdict == "worse" or (self.verdict == "missing" and self.before is not None)


@dataclass(frozen=True)
class Comparison:
    """All changes, the cells that only one side has, what differs in how the two were made, and the cells
    that one side has more than once (of which the last is compared)."""

    changes: list[Change]
    only_before: list[str]
    only_after: list[str]
    differences: list[str]
    repeated: list[str] = field(default_factory=list)

    @property
    def gaps(self) -> list[str]:
        """Why this comparison can't vouch for anything: what a gate must not pass over."""
        return [
            *(["nothing was compared"] if not self.changes else []),
            *(
                [f"results of the baseline are gone: {', '.join(self.only_before)}"]
                if self.only_before
                else []
            ),
            *([f"several results of one cell: {', '.join(self.repeated)}"] if self.repeated else []),
        ]

    @property
    def regressions(self) -> list[Change]:
        return [change for change in self.changes if change.regressed]


Cell = tuple[str, str, str, bool, str, str, str]


def cell(result: BenchResult) -> Cell:
    """What makes results comparable: model, board, device (a twin at a port is no board), engine,
    optimization, and how the input is handed over."""
    setup = result.setup
    how = (setup.engine, setup.optimize, setup.feed)
    return result.model.name, setup.board, setup.device, setup.emulated, *how


def compare(
    before: BenchReport,
    after: BenchReport,
    tolerances: Mapping[str, float] | None = None,
    *,
    side_by_side: bool = False,
) -> Comparison:
    """Compares cell by cell. ``tolerances`` (percent, by metric name) replace the metrics' own. With
    ``side_by_side`` a single result on each side is compared whatever its cell, to look at boards and options
    beside each other; a gate pairs equal cells alone."""
    old = {cell(result): result for result in before.results}
    new = {cell(result): result for result in after.results}
    if side_by_side and len(old) == 1 and len(new) == 1:
        pairs = [(before.results[0], after.results[0])]
        only_before: list[str] = []
        only_after: list[str] = []
    else:
        pairs = [(old[key], new[key]) for key in old if key in new]
        only_before = [old[key].title for key in old if key not in new]
        only_after = [new[key].title for key in new if key not in old]
    changes = [change for pair in pairs for change in _changes(*pair, tolerances or {})]
    differences = [line for pair in pairs for line in _differences(*pair)]
    repeated = [*_repeated(before.results), *_repeated(after.results)]
    return Comparison(changes, only_before, only_after, differences, repeated)


def _repeated(results: Sequence[BenchResult]) -> list[str]:
    """Titles of the cells that have more than one result."""
    counts = Counter(cell(result) for result in results)
    titles = {cell(result): result.title for result in results}
    return [titles[key] for key, count in counts.items() if count > 1]


def parse_tolerances(texts: Iterable[str]) -> dict[str, float]:
    """'METRIC=PERCENT' of the command line. Raises UsageError for anything else."""
    found = {}
    for text in texts:
        name, separator, percent = text.partition("=")
        if named(name) is None:
            names = ", ".join(metric.name for metric in METRICS)
            raise UsageError(f"--tolerance {text}: no such metric: {name}", f"use one of {names}")
        try:
            value = float(percent.removesuffix("%"))
        except ValueError:
            value = -1
        if not separator or not value >= 0:
            raise UsageError(f"--tolerance {text}: expected METRIC=PERCENT", f"for example {name}=2.5")
        found[name] = value
    return found


def _changes(before: BenchResult, after: BenchResult, tolerances: Mapping[str, float]) -> list[Change]:
    found = []
    for metric in METRICS:
        old, new = metric.get(before), metric.get(after)
        if old is not None or new is not None:
            tolerance = tolerances.get(metric.name, metric.tolerance_percent)
            found.append(Change(after.title, metric, old, new, tolerance))
    return found


def _data_set(result: BenchResult) -> str:
    """Two files of one name are two data sets."""
    accuracy = result.accuracy
    return (
        f"{accuracy.dataset} ({accuracy.dataset_sha256[:12]}, {counted(accuracy.samples, 'sample')})"
        if accuracy
        else "none"
    )


def _device(setup: Setup) -> str:
    """What computed, in a word."""
    return f"twin at a {setup.device} port" if setup.emulated and setup.device == "serial" else setup.device


def _differences(before: BenchResult, after: BenchResult) -> list[str]:
    """What a reader must know before believing the numbers: other model, board, compiler, options."""
    old, new = before.setup, after.setup
    pairs = [
        ("model", before.model.sha256[:12], after.model.sha256[:12]),
        ("board", old.board, new.board),
        ("board file", old.board_sha256[:12], new.board_sha256[:12]),
        ("data set", _data_set(before), _data_set(after)),
        ("device", _device(old), _device(new)),
        ("engine", old.engine, new.engine),
        ("optimize", old.optimize, new.optimize),
        ("feed", old.feed, new.feed),
        ("toolchain", old.toolchain, new.toolchain),
        ("flags", " ".join(old.flags), " ".join(new.flags)),
        ("tinyserve", old.tinyserve, new.tinyserve),
    ]
    pairs += [
        (tool, old.tools.get(tool, "none"), new.tools.get(tool, "none"))
        for tool in sorted(old.tools.keys() | new.tools.keys())
    ]
    return [f"{after.title}: {name}: {was} → {now}" for name, was, now in pairs if was != now]
