# SPDX-License-Identifier: Apache-2.0
"""Runs compilers: several at once, each with a time-out, none left behind when one fails or Ctrl-C comes."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinyserve import platforms, programs
from tinyserve.errors import ToolError

_POLL_S = 0.003


@dataclass(frozen=True)
class Finished:
    """A command that ended. ``output`` is standard output and error as they came."""

    command: tuple[str, ...]
    status: int
    output: str


@dataclass
class _Running:
    index: int
    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    deadline: float


def run_all(
    commands: Sequence[Sequence[str]],
    directory: Path,
    timeout_s: float,
    jobs: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Finished]:
    """Runs the commands in ``directory``, up to ``jobs`` at once (default: one per CPU).

    Results come in the commands' order. When one fails no more are started, and the results of those that
    never ran are left out. ``environment`` replaces this process's. Raises ToolError when a program is not
    there or takes longer than ``timeout_s``.
    """
    waiting = [(index, tuple(command)) for index, command in enumerate(commands)]
    waiting.reverse()
    running: list[_Running] = []
    finished: dict[int, Finished] = {}
    failed = False
    try:
        while running or (waiting and not failed):
            while waiting and not failed and len(running) < (jobs or platforms.here().processors()):
                running.append(_start(*waiting.pop(), directory, timeout_s, environment))
            for job in list(running):
                if job.process.poll() is not None:
                    running.remove(job)
                    finished[job.index] = _finish(job)
                    failed = failed or job.process.returncode != 0
                elif time.monotonic() > job.deadline:
                    raise ToolError(
                        f"{Path(job.command[0]).name} took longer than {timeout_s:g} s and was stopped",
                        "look at what it does with the command: " + " ".join(job.command),
                    )
            time.sleep(_POLL_S)
    finally:
        for job in running:
            _kill(job.process)
            job.output.close()
    return [finished[index] for index in sorted(finished)]


def run(
    command: Sequence[str], directory: Path, timeout_s: float, environment: Mapping[str, str] | None = None
) -> Finished:
    """Runs one command. Raises as ``run_all`` does."""
    return run_all([command], directory, timeout_s, environment=environment)[0]


def _start(
    index: int,
    command: tuple[str, ...],
    directory: Path,
    timeout_s: float,
    environment: Mapping[str, str] | None,
) -> _Running:
    # A file, not a pipe: what fills a pipe that nobody reads would hang.
    output = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process has ended)
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment if environment is not None else programs.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **platforms.here().apart(),
        )
    except OSError as error:
        output.close()
        raise ToolError(
            f"{command[0]}: {error.strerror}", "install it, or choose another --toolchain"
        ) from error
    return _Running(index, command, process, output, time.monotonic() + timeout_s)


def _finish(job: _Running) -> Finished:
    job.output.seek(0)
    text = job.output.read().decode(errors="replace")
    job.output.close()
    return Finished(job.command, job.process.returncode, text)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and what it started (compiler drivers start compilers)."""
    with suppress(OSError):
        platforms.here().end_group(process)
    process.wait()
