# SPDX-License-Identifier: Apache-2.0
"""A band's driver once more, on an arena whose bytes say which value they hold: written from
``kernels/row_band.h``, not from the compiler's simulation, which it checks."""

from __future__ import annotations

from tinyserve.compiler.program import BandCall, Buffer, MemoryPlan, RowStage, RowWindow

Token = tuple[int, int]
"""Of a window's tensor, the byte of this number."""


class BandMachine:
    """Runs a band. Raises AssertionError where a step reads a byte that is not the one it wants."""

    def __init__(self, call: BandCall, plan: MemoryPlan) -> None:
        self.call, self.plan = call, plan
        self.memory: list[object] = [None] * plan.arena_bytes
        self.base = [plan.offsets[arg] for arg in call.args if isinstance(arg, Buffer)]
        self.written = [window.height if window.given else 0 for window in call.windows]
        self.first = [self.before(window) for window in call.windows]
        self.steps = [0] * len(call.stages)
        self.running: set[Buffer] = set()
        """What reductions keep from one step to the next."""

    def before(self, window: RowWindow) -> int:
        """The row that the first place is for at first: of windows that are moved late one above the image,
        where the keeper reads padding."""
        if window.keeper is None or window.early:
            return 0
        stage, place = window.keeper
        return min(0, self.call.stages[stage].inputs[place].first)

    def run(self) -> None:
        for number, window in enumerate(self.call.windows):
            if window.given:
                self.fill(number, 0, window.height)
        self.mark(self.call.notes)
        fed = self.call.fed
        if fed is None:
            self.go_on()
        while fed is not None and self.written[fed] < self.call.windows[fed].height:
            self.feed(fed)
        for number, arg in enumerate(self.call.args[:-1]):
            window = self.call.windows[number]
            assert isinstance(arg, Buffer)
            if window.keeper is None and not window.given:
                assert self.written[number] == window.height
                self.expect(number, 0, window.height)
        self.check_kept()

    def go_on(self) -> None:
        number = len(self.call.stages) - 1
        while number >= 0:
            if self.is_ready(self.call.stages[number], self.steps[number]):
                self.step(number)
                self.steps[number] += 1
                self.move_early(number)
                number = self.call.stages[number].wake
            else:
                number -= 1

    def feed(self, number: int) -> None:
        """A row from outside."""
        window, row = self.call.windows[number], self.written[number]
        if window.keeper is not None and row + 1 - self.first[number] > window.rows:
            self.move(number)
        self.fill(number, row, row + 1)
        self.written[number] += 1
        self.check_kept()
        self.go_on()

    def is_ready(self, stage: RowStage, step: int) -> bool:
        if step == stage.steps:
            return False
        if stage.reader is not None:
            other, place = self.call.stages[stage.reader[0]], stage.reader[1]
            at = self.steps[stage.reader[0]]
            wanted = other.inputs[place].end + at * other.inputs[place].advance
            wanted = min(self.call.windows[stage.output].height, wanted)
            if at == other.steps or self.written[stage.output] >= wanted:
                return False
        return all(
            self.written[taken.window]
            >= max(0, min(self.call.windows[taken.window].height, taken.end + step * taken.advance))
            for taken in stage.inputs
        )

    def step(self, number: int) -> None:
        stage, step = self.call.stages[number], self.steps[number]
        window = self.call.windows[stage.output]
        count = min(stage.rows, window.height - self.written[stage.output])
        if stage.rows == 0:
            count = int(step + 1 == stage.steps)
        if (
            window.keeper is not None
            and self.written[stage.output] + count - self.first[stage.output] > window.rows
        ):
            self.move(stage.output)
        calls = stage.records[stage.kind(step)]
        for taken in stage.inputs:
            start = max(0, min(self.call.windows[taken.window].height, taken.first + step * taken.advance))
            end = max(0, min(self.call.windows[taken.window].height, taken.end + step * taken.advance))
            self.expect(taken.window, start, min(end, self.written[taken.window]))
        kept = self.snapshot(stage, step)
        working = {b for call in calls for b in call.writes if b not in stage.places}
        if stage.rows == 0:
            self.running |= working
        for buffer in working:
            self.mark(buffer)
        self.fill(stage.output, self.written[stage.output], self.written[stage.output] + count)
        self.written[stage.output] += count
        for window_number, start, end in kept:
            self.expect(window_number, start, end)
        self.expect(stage.output, self.written[stage.output] - count, self.written[stage.output])
        self.check_kept()
        if stage.rows == 0 and count:
            self.running -= working

    def snapshot(self, stage: RowStage, step: int) -> list[tuple[int, int, int]]:
        """The rows that this step must leave: what any stage, after it, still reads."""
        found = []
        for number, other in enumerate(self.call.stages):
            at = self.steps[number] + (other is stage)
            if at >= other.steps:
                continue
            for taken in other.inputs:
                height = self.call.windows[taken.window].height
                start = max(0, min(height, taken.first + at * taken.advance))
                if start < self.written[taken.window]:
                    found.append((taken.window, start, self.written[taken.window]))
        return found

    def move(self, number: int) -> None:
        window = self.call.windows[number]
        assert window.keeper is not None
        stage_number, place = window.keeper
        stage, step = self.call.stages[stage_number], self.steps[stage_number]
        kept = window.height
        if step < stage.steps:
            kept = max(0, min(kept, stage.inputs[place].first + step * stage.inputs[place].advance))
        kept = min(kept, self.written[number])
        self.expect(number, kept, self.written[number])
        self.first[number] = kept
        assert self.written[number] - kept <= window.rows
        self.fill(number, kept, self.written[number])

    def move_early(self, number: int) -> None:
        """What a stage has read for the last time is given up at once where the window says so."""
        for place, taken in enumerate(self.call.stages[number].inputs):
            window = self.call.windows[taken.window]
            if window.early and window.keeper == (number, place):
                self.move(taken.window)
        self.check_kept()

    def at(self, number: int, row: int) -> int:
        return self.base[number] + (row - self.first[number]) * self.call.windows[number].row_bytes

    def fill(self, number: int, start: int, end: int) -> None:
        size = self.call.windows[number].row_bytes
        for row in range(start, end):
            place = row - self.first[number]
            assert 0 <= place < self.call.windows[number].rows, f"row {row} has no place"
            for byte in range(size):
                self.memory[self.at(number, row) + byte] = (number, row * size + byte)

    def expect(self, number: int, start: int, end: int) -> None:
        size = self.call.windows[number].row_bytes
        for row in range(start, end):
            at = self.at(number, row)
            found = self.memory[at : at + size]
            assert found == [(number, row * size + byte) for byte in range(size)], (
                f"row {row} of {number} is gone"
            )

    def mark(self, buffer: Buffer) -> None:
        start = self.plan.offsets[buffer]
        self.memory[start : start + buffer.nbytes] = [buffer] * buffer.nbytes

    def check_kept(self) -> None:
        notes = self.call.notes
        start = self.plan.offsets[notes]
        assert all(found is notes for found in self.memory[start : start + notes.nbytes])
        for kept in self.running:
            start = self.plan.offsets[kept]
            assert all(found is kept for found in self.memory[start : start + kept.nbytes])
