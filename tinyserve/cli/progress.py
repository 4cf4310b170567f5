# SPDX-License-Identifier: Apache-2.0
"""Progress on stderr: a line that moves on a terminal, one line per stage when a log is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinyserve.cli.console import echo, stderr
from tinyserve.escapes import visible
from tinyserve.progress import Progress, silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_FIRST_S = 10.0


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """Yields what a command says its progress with."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _rich_progress() as bar:
            yield _Live(bar)
    else:
        yield _Log()


def _rich_progress() -> Bar:
    from rich import progress as rich

    return rich.Progress(
        rich.SpinnerColumn(), rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(bar_width=24), rich.TaskProgressColumn(), rich.TimeElapsedColumn(),
        rich.TextColumn("left:", style="dim"), rich.TimeRemainingColumn(),
        console=stderr(), transient=True,
    )  # fmt: skip


class _Live:
    """One task per stage; the one before it is done when the next begins."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._stage = ""
        self._task: TaskID | None = None

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        if stage != self._stage:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._stage = stage
            self._task = self._bar.add_task(visible(stage), total=total or None)
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total or None)


class _Log:
    """A line per stage, and one with percent, elapsed and remaining time after ``_FIRST_S`` seconds, then
    after twice as long each time: logs of CI machines stay short."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._started = self._next = 0.0

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        now = self._clock()
        if stage != self._stage:
            self._stage, self._started, self._next = stage, now, now + _FIRST_S
            echo(f"… {visible(stage)}", err=True)
        elif now >= self._next and 0 < done < total:
            elapsed = now - self._started
            self._next = now + max(elapsed, _FIRST_S)
            left = elapsed * (total - done) / done
            echo(
                f"… {visible(stage)}: {100 * done / total:.0f} %, {_spelled(elapsed)} elapsed, "
                f"about {_spelled(left)} left",
                err=True,
            )


def _spelled(seconds: float) -> str:
    """'45 s', '3 min 20 s'."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
