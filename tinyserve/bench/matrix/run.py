# SPDX-License-Identifier: Apache-2.0
"""Many cells at once: a process for each, so that one that breaks or hangs takes no other with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from tinyserve import platforms, workflow
from tinyserve.bench.matrix import preflight
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bench.matrix.execute import attempt
from tinyserve.bench.result import BenchReport, BenchResult, FailedCell
from tinyserve.errors import Terminated, TinyserveError
from tinyserve.progress import Progress, silent

CELL_TIMEOUT_S = 3600.0
_GRACE_S = 10.0
STOPS = {129: "hung up", 130: "interrupted", 143: "terminated"}
"""The exit statuses of cells that a signal kept from being done, in words."""
Outcome = BenchResult | FailedCell


def run(
    cells: Sequence[Cell], jobs: int, progress: Progress, timeout_s: float = CELL_TIMEOUT_S
) -> BenchReport:
    """Runs the cells in up to ``jobs`` processes. Results come in the order of the cells.

    Ctrl-C and SIGTERM end the processes; the cells that are not done by then are failures of `stopped`.
    """
    outcomes: dict[int, Outcome] = {}
    waiting = list(enumerate(cells))
    running: dict[int, _Worker] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index, cell = waiting.pop(0)
                running[index] = _Worker(cell, timeout_s)
            for index in _ready(running):
                worker = running.pop(index)
                outcomes[index] = worker.outcome()
                say_done(progress, worker.cell, len(outcomes), len(cells))
    except (KeyboardInterrupt, Terminated) as stop:
        for index, cell in enumerate(cells):
            outcomes.setdefault(index, stopped(cell, stop))
    finally:
        for worker in running.values():
            worker.end()
        for worker in running.values():
            worker.kill()
    return collect([outcomes[index] for index in range(len(cells))])


def converted(cells: Sequence[Cell], progress: Progress) -> tuple[list[Cell], list[FailedCell]]:
    """The cells that can run, with bundles as their sources, each source converted once; a source that can't
    be converted, or a board that can't do what is asked, fails its own cells alone."""
    made: dict[Path, Path | TinyserveError] = {}
    ready, failures = [], []
    for cell in cells:
        try:
            preflight.check_cell(cell)
            if cell.source not in made:
                made[cell.source] = _bundle(cell, progress)
            outcome = made[cell.source]
            if not isinstance(outcome, Path):
                raise outcome
            ready.append(replace(cell, source=outcome))
        except TinyserveError as error:
            failures.append(FailedCell(cell.model, cell.board, str(error), error.exit_status))
    return ready, failures


def _bundle(cell: Cell, progress: Progress) -> Path | TinyserveError:
    try:
        return workflow.to_bundle(cell.source, cell.conversion, progress).path
    except TinyserveError as error:
        return error


def collect(outcomes: Sequence[Outcome]) -> BenchReport:
    """Results and failures as one report."""
    return BenchReport(
        results=[outcome for outcome in outcomes if isinstance(outcome, BenchResult)],
        failures=[outcome for outcome in outcomes if isinstance(outcome, FailedCell)],
    )


def say_done(progress: Progress, cell: Cell, done: int, total: int) -> None:
    """How many cells are done, and which was the last."""
    progress(f"{done} of {total} cells, the last: {cell.model} on {cell.board}", done, total)


def stopped(cell: Cell, stop: KeyboardInterrupt | Terminated) -> FailedCell:
    """A cell that was not done when a signal came."""
    status = int(stop.code or 143) if isinstance(stop, Terminated) else 130
    return FailedCell(cell.model, cell.board, f"not done: {STOPS[status]}", status)


def default_jobs() -> int:
    """One process per CPU: an emulator keeps one busy."""
    return platforms.here().processors()


def _ready(running: dict[int, _Worker]) -> list[int]:
    """The workers that have ended, said something, or used up their time."""
    first = min(worker.deadline for worker in running.values())
    handles = [worker.connection for worker in running.values()]
    talking = wait(handles, max(0.0, first - time.monotonic()))
    now = time.monotonic()
    return [
        index for index, worker in running.items() if worker.connection in talking or worker.deadline <= now
    ]


@dataclass(frozen=True)
class _Died:
    """What became of a worker that said nothing."""

    code: int | None

    def __str__(self) -> str:
        if self.code is None:
            return "took too long and was ended\n  try: fewer --runs, or a larger time limit"
        said = f"its process ended with status {self.code} and said nothing"
        return f"{said}\n  try: this cell alone, with --verbose"


class _Worker:
    """The process of one cell."""

    def __init__(self, cell: Cell, timeout_s: float) -> None:
        self.cell = cell
        self.deadline = time.monotonic() + timeout_s
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=False)
        self._process: SpawnProcess = context.Process(
            target=_work, args=(cell, theirs, Path.cwd()), daemon=True
        )
        with platforms.here().signals_held():  # a Python that is starting up would answer with a traceback
            self._process.start()
        theirs.close()

    def outcome(self) -> Outcome:
        """The result, or a failure where the process died or is still at it."""
        try:
            if self.connection.poll(0):
                outcome: Outcome = self.connection.recv()
                self._process.join(_GRACE_S)
                return outcome
            death = _Died(None)
        except EOFError:
            self._process.join(_GRACE_S)
            death = _Died(self._process.exitcode)
        finally:
            self.kill()
        return FailedCell(self.cell.model, self.cell.board, str(death), 1 if death.code is not None else 8)

    def end(self) -> None:
        """Asks the process to clean up and end (SIGTERM unwinds it), and does not wait."""
        self._process.terminate()

    def kill(self) -> None:
        """Ends the process: first so that it can clean up, then for sure."""
        self.connection.close()
        if self._process.is_alive():
            self.end()
            self._process.join(_GRACE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _end_with_parent() -> None:
    """A worker whose parent was killed ends, too: first in order, then for sure."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        if platforms.here().end_self_in_order():
            time.sleep(_GRACE_S)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _work(cell: Cell, connection: Connection, directory: Path) -> None:
    """The worker's life: one cell, one message."""

    def stop(number: int, frame: object) -> None:
        raise Terminated(128 + number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us in order
    platforms.here().release_signals()
    _end_with_parent()
    os.chdir(directory)
    connection.send(attempt(cell, silent))
