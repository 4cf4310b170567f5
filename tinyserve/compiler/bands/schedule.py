# SPDX-License-Identifier: Apache-2.0
"""The order in which a band's stages take their steps, and which rows lie where at each moment.

The driver in ``kernels/row_band.h`` follows the same rule at run time: of the stages whose rows are there,
and whose only reader waits for more, the last takes its next step. So all that the compiler says of a band's
memory follows from this simulation. Where the model's input is fed by rows, the next of them comes when no
stage can take a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.program import RowsTaken

Ints = npt.NDArray[np.int32]
NOWHERE = 1 << 29
"""Where the bytes start (and end before) of a window that holds nothing."""


@dataclass(frozen=True)
class Window:
    """A tensor's rows. ``given``: whole before the band begins. ``kept``: needed whole when it ends.
    ``places``: how many rows it has, 0 for as few as will do. ``alignment``: of each step's first byte.
    ``fed``: its rows come one by one from outside. ``early``: those that are still read are moved to the
    front as soon as the others have been read, not where the next ones do not fit: what is free meanwhile
    lies behind them, not before."""

    height: int
    row_bytes: int
    given: bool = False
    kept: bool = False
    places: int = 0
    alignment: int = 4
    fed: bool = False
    early: bool = False


@dataclass(frozen=True)
class Stage:
    """A layer: what it takes of each of its inputs, its output's window, rows per step: 0 where the output is
    one row that is there after the last step."""

    inputs: tuple[RowsTaken, ...]
    output: int
    rows: int
    steps: int

    def made(self, step: int, left: int) -> int:
        """Rows that a step makes, of those that are left."""
        return min(left, self.rows) if self.rows else int(step + 1 == self.steps)


@dataclass(frozen=True)
class Event:
    """A step of a stage, or a row that is fed (``stage`` is OUTSIDE then). Before it, ``moved`` rows of the
    output's window are moved to the front."""

    stage: int
    step: int
    moved: int


OUTSIDE = -1
"""Instead of a stage: who feeds rows."""


class ImpossibleError(Exception):
    """Why layers can't be a band."""


MOMENTS = 3
"""Of an event: while rows are moved, while the step reads and writes, while rows are moved early after it."""


@dataclass(frozen=True)
class Schedule:
    """Events in order; windows with their places; of each window the stage (and its input) that says which
    rows are kept; of each stage the last one that reads what it writes, and the only one (and its input).

    ``can_be_early``: the windows whose rows could be moved as soon as they have been read.
    ``low`` and ``high`` [windows][moments]: which bytes of each window are needed, from its start.
    ``read`` [events][inputs] and ``written`` [events]: at which bytes of their windows steps read and write.
    ``moved_bytes``: in all.
    """

    events: list[Event]
    windows: tuple[Window, ...]
    keepers: tuple[tuple[int, int] | None, ...]
    wakes: tuple[int, ...]
    waiting: tuple[tuple[int, int] | None, ...]
    can_be_early: tuple[int, ...]
    low: Ints
    high: Ints
    read: list[tuple[int, ...]]
    written: list[int]
    moved_bytes: int

    @property
    def load(self) -> int:
        """The most bytes that windows need at one moment: no arena can be smaller."""
        sizes = np.maximum(self.high - self.low, 0)
        return int(sizes.sum(axis=0).max())


def simulate(stages: Sequence[Stage], windows: Sequence[Window]) -> Schedule:
    """The steps of a band from first to last. ``stages`` are in an order in which each comes after what it
    reads. Raises ImpossibleError where rows can't be kept as the driver keeps them."""
    order = _Run(stages, windows)
    order.go()
    keepers = order.keepers()
    placed = [
        replace(window, places=min(window.height, max(window.places, need)))
        for window, need in zip(windows, order.needed_places(), strict=True)
    ]
    final = _Run(stages, placed, keepers)
    final.go()
    return final.schedule(order.can_be_early())


def wakes(stages: Sequence[Stage]) -> tuple[int, ...]:
    """Of each stage the last that reads what it writes; the stage itself where none does."""
    return tuple(
        max([number, *(n for n, other in enumerate(stages) if _reads(other, stage.output))])
        for number, stage in enumerate(stages)
    )


def only_readers(stages: Sequence[Stage], windows: Sequence[Window]) -> tuple[tuple[int, int] | None, ...]:
    """Of each stage the one (and its input) that is alone in reading what it writes. It computes no rows
    ahead of that: where its own input is there early, as in the shorter branch of a residual block, they
    would only wait."""
    found: list[tuple[int, int] | None] = []
    for stage in stages:
        readers = [
            (number, place)
            for number, other in enumerate(stages)
            for place, taken in enumerate(other.inputs)
            if taken.window == stage.output
        ]
        found.append(readers[0] if len(readers) == 1 and not windows[stage.output].kept else None)
    return tuple(found)


def _reads(stage: Stage, window: int) -> bool:
    return any(taken.window == window for taken in stage.inputs)


class _Run:
    """One pass through the band: without keepers to find what windows need, with them as the driver runs."""

    def __init__(
        self,
        stages: Sequence[Stage],
        windows: Sequence[Window],
        keepers: Sequence[tuple[int, int] | None] | None = None,
    ) -> None:
        self.stages, self.windows, self._keepers = stages, windows, keepers
        self.wakes = wakes(stages)
        self.waiting = only_readers(stages, windows)
        self.readers: list[list[tuple[int, int]]] = [
            [(s, i) for s, stage in enumerate(stages) for i, t in enumerate(stage.inputs) if t.window == w]
            for w in range(len(windows))
        ]
        self.produced = [window.height if window.given else 0 for window in windows]
        self.start = [self._first_place(window) for window in range(len(windows))]
        self.step = [0] * len(stages)
        self.most = [0] * len(windows)
        self.candidates = [set(readers) for readers in self.readers]
        self.early_candidates = [set(readers) for readers in self.readers]
        self.events: list[Event] = []
        self.read: list[tuple[int, ...]] = []
        self.written: list[int] = []
        self.low: list[list[int]] = []
        self.high: list[list[int]] = []
        self._lows, self._highs = [NOWHERE] * len(windows), [-NOWHERE] * len(windows)
        self.moved_bytes = 0
        for window in range(len(windows)):
            self._refresh(window)

    def _first_place(self, window: int) -> int:
        """The row that the first place of a window is for in the beginning: one above the image where its
        keeper reads padding, so that what is free of a window that moves late always lies before them."""
        keeper = None if self._keepers is None else self._keepers[window]
        if keeper is None or self.windows[window].early:
            return 0
        return min(0, self.stages[keeper[0]].inputs[keeper[1]].first)

    def go(self) -> None:
        fed = next((window for window, spec in enumerate(self.windows) if spec.fed), None)
        if fed is None:
            self._steps()
        while fed is not None and self.produced[fed] < self.windows[fed].height:
            self._take_row(fed)
            self._steps()
        for window, spec in enumerate(self.windows):
            if spec.kept and self.produced[window] < spec.height:
                raise ImpossibleError("a layer waits for rows that nothing makes")

    def _steps(self) -> None:
        """All steps that the rows that are there make possible."""
        number = len(self.stages) - 1
        while number >= 0:
            if self._ready(number):
                self._take_step(number)
                number = self.wakes[number]
            else:
                number -= 1

    def _ready(self, number: int) -> bool:
        stage = self.stages[number]
        if self.step[number] == stage.steps or not self._is_waited_for(number):
            return False
        return all(
            self.produced[taken.window] >= taken.span(self.step[number], self.windows[taken.window].height)[1]
            for taken in stage.inputs
        )

    def _is_waited_for(self, number: int) -> bool:
        """Whether the only reader of a stage's output lacks rows for its next step."""
        reader = self.waiting[number]
        if reader is None:
            return True
        window = self.stages[number].output
        stage, step = self.stages[reader[0]], self.step[reader[0]]
        end = stage.inputs[reader[1]].span(step, self.windows[window].height)[1]
        return step < stage.steps and self.produced[window] < end

    def _first_kept(self, window: int) -> int:
        """The first row that something still needs."""
        spec = self.windows[window]
        return 0 if spec.kept else min(self._wanted(reader) for reader in self.readers[window])

    def _wanted(self, reader: tuple[int, int]) -> int:
        """The first row that a stage still reads of a window: all are behind it once it is done."""
        stage, taken = self.stages[reader[0]], self.stages[reader[0]].inputs[reader[1]]
        height = self.windows[taken.window].height
        step = self.step[reader[0]]
        return height if step == stage.steps else taken.span(step, height)[0]

    def _take_step(self, number: int) -> None:
        self._make_rows(self.stages[number], number, self.step[number])

    def _take_row(self, window: int) -> None:
        """The next row from outside."""
        height = self.windows[window].height
        self._make_rows(Stage((), window, 1, height), OUTSIDE, self.produced[window])

    def _make_rows(self, stage: Stage, number: int, step: int) -> None:
        """Rows of a stage's output, by a step of the stage of this number."""
        window = stage.output
        spec = self.windows[window]
        count = stage.made(step, spec.height - self.produced[window])
        moved = self._make_place(window, count)
        first = self.produced[window]
        end = first + count
        if not spec.kept and count:
            self.most[window] = max(self.most[window], end - min(first, self._first_kept(window)))
        self.produced[window] = end
        self._note(stage, number, step, first, moved)
        if number != OUTSIDE:
            self.step[number] += 1
        touched = {window, *(taken.window for taken in stage.inputs)}
        moving = self._move_early(stage, number)
        for one in touched:
            self._refresh(one)
        self._snapshot(*moving)

    def _move_early(self, stage: Stage, number: int) -> list[tuple[int, int, int]]:
        """Moves rows to the front of the windows that are early and whose keeper the stage is: which bytes of
        them are needed meanwhile."""
        found = []
        for place, taken in enumerate(stage.inputs):
            window, reader = taken.window, (number, place)
            if self._keepers is None:
                if self._wanted(reader) > min(map(self._wanted, self.readers[window])):
                    self.early_candidates[window].discard(reader)
            elif self.windows[window].early and self._keepers[window] == reader:
                row_bytes = self.windows[window].row_bytes
                kept = min(self.produced[window], self._wanted(reader))
                found.append((window, 0, (self.produced[window] - self.start[window]) * row_bytes))
                if kept > self.start[window]:
                    self.start[window] = kept
                    self.moved_bytes += (self.produced[window] - kept) * row_bytes
        return found

    def _make_place(self, window: int, count: int) -> int:
        """Moves rows to the front where the next ones do not fit. How many."""
        spec, produced = self.windows[window], self.produced[window]
        if self._keepers is None:
            if not spec.kept and self.readers[window]:
                least = self._first_kept(window)
                self.candidates[window] = {r for r in self.candidates[window] if self._wanted(r) == least}
            self._snapshot()
            return 0
        keeper = self._keepers[window]
        if produced + count - self.start[window] <= spec.places or keeper is None:
            self._snapshot()
            return 0
        kept = min(produced, self._wanted(keeper))
        moved = produced - kept
        self._snapshot(*[(window, 0, (produced - self.start[window]) * spec.row_bytes)][: int(moved > 0)])
        self.start[window] = kept
        self.moved_bytes += moved * spec.row_bytes
        return moved

    def _note(self, stage: Stage, number: int, step: int, first: int, moved: int) -> None:
        """The step: its new rows are there, and what it reads is not given up yet."""
        self.events.append(Event(number, step, moved))
        self.written.append((first - self.start[stage.output]) * self.windows[stage.output].row_bytes)
        reads = []
        for taken in stage.inputs:
            spec = self.windows[taken.window]
            start, _ = taken.span(step, spec.height)
            reads.append((start - self.start[taken.window]) * spec.row_bytes)
        self.read.append(tuple(reads))
        if self._keepers is not None:
            touched = zip(
                (self.written[-1], *reads), (stage.output, *(t.window for t in stage.inputs)), strict=True
            )
            for at, window in touched:
                spec = self.windows[window]
                if number != OUTSIDE and at % spec.alignment:
                    raise ImpossibleError(f"rows of {spec.row_bytes} bytes do not stay aligned")
        output = self.windows[stage.output]
        low = (min(first, self._first_kept(stage.output)) - self.start[stage.output]) * output.row_bytes
        high = (self.produced[stage.output] - self.start[stage.output]) * output.row_bytes
        self._snapshot(*[(stage.output, low, high)][: int(low < high)])

    def _snapshot(self, *special: tuple[int, int, int]) -> None:
        """Notes which bytes are needed now; ``special``: of some windows others than the rows that are
        kept."""
        if self._keepers is None:
            return
        lows, highs = self._lows.copy(), self._highs.copy()
        for window, low, high in special:
            lows[window], highs[window] = low, high
        self.low.append(lows)
        self.high.append(highs)

    def _refresh(self, window: int) -> None:
        """Which bytes of a window are needed from now on."""
        spec = self.windows[window]
        first, end, start = self._first_kept(window), self.produced[window], self.start[window]
        if first >= end:
            self._lows[window], self._highs[window] = NOWHERE, -NOWHERE
        else:
            self._lows[window], self._highs[window] = (
                (first - start) * spec.row_bytes,
                (end - start) * spec.row_bytes,
            )

    def needed_places(self) -> list[int]:
        """Rows that each window needs, whole ones all."""
        return [
            spec.height if spec.kept or spec.given else most
            for spec, most in zip(self.windows, self.most, strict=True)
        ]

    def keepers(self) -> list[tuple[int, int] | None]:
        """Of each window the reader that is behind all others whenever rows are written."""
        found: list[tuple[int, int] | None] = []
        for window, spec in enumerate(self.windows):
            if spec.kept or spec.given:
                found.append(None)
                continue
            able = self.candidates[window]
            if spec.early:
                able = able & self.early_candidates[window]
            if not able:
                raise ImpossibleError("now one, now another reader of a tensor is behind the others")
            found.append(min(able))
        return found

    def can_be_early(self) -> tuple[int, ...]:
        """The windows of which a reader is behind all others once it has read."""
        return tuple(
            window
            for window, spec in enumerate(self.windows)
            if not (spec.kept or spec.given) and self.candidates[window] & self.early_candidates[window]
        )

    def schedule(self, can_be_early: tuple[int, ...]) -> Schedule:
        """``can_be_early``: as the run without keepers has found it."""
        assert self._keepers is not None
        return Schedule(
            self.events, tuple(self.windows), tuple(self._keepers), self.wakes, self.waiting, can_be_early,
            np.array(self.low, np.int32).T, np.array(self.high, np.int32).T, self.read, self.written,
            self.moved_bytes,
        )  # fmt: skip
