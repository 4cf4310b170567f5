# SPDX-License-Identifier: Apache-2.0
"""A child process that never outlives us: not on errors, not on Ctrl-C, not when we are killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from tinyserve import platforms
from tinyserve.errors import ToolError

WATCHDOG = Path(__file__).with_name("watchdog.py")
END_TIMEOUT_S = 3.0
_KEPT_WORDS = 4000


class ChildProcess:
    """An emulator or host firmware in a process group of its own (a Ctrl-C in the terminal reaches only us,
    and we end it). With ``talks`` its standard input and output are pipes, else they are closed. Standard
    error is kept.

    Raises ToolError when it can't be started. Where the system has no watchdog (Windows) it is ended by
    ``close`` alone.
    """

    def __init__(self, command: list[str], talks: bool = False) -> None:
        if shutil.which(command[0]) is None:
            raise ToolError(f"cannot start {command[0]}: there is no such program")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        pipe = subprocess.PIPE if talks else subprocess.DEVNULL
        self._lifeline: int | None = None
        try:
            start = self._watched if platforms.here().has_watchdog else self._alone
            self._process = start(command, pipe)
        except OSError as error:
            self._errors.close()
            raise ToolError(f"cannot start {command[0]}: {error.strerror}") from error

    def _alone(self, command: list[str], pipe: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self._errors, **platforms.here().apart()
        )

    def _watched(self, command: list[str], pipe: int) -> subprocess.Popen[bytes]:
        theirs, self._lifeline = os.pipe()
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(WATCHDOG), str(theirs), *command],
                stdin=pipe,
                stdout=pipe,
                stderr=self._errors,
                pass_fds=(theirs,),
                **platforms.here().apart(),
            )
        except OSError:
            os.close(self._lifeline)
            raise
        finally:
            os.close(theirs)

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + N when it died of signal N."""
        return self._process.poll()

    def words(self) -> str:
        """The end of what it wrote to standard error."""
        if self._errors.closed:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _KEPT_WORDS))
        return self._errors.read().decode("utf-8", "replace").strip()

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, None if it still runs after ``timeout_s`` seconds."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it at once, and does not wait."""
        with suppress(ProcessLookupError, PermissionError):
            platforms.here().end_group(self._process)

    def close(self) -> None:
        """Ends it and waits until it is gone; may be called twice."""
        try:
            self._end()
        finally:
            for stream in (self._process.stdin, self._process.stdout, self._errors):
                if stream:
                    with suppress(OSError):
                        stream.close()

    def _end(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)  # the watchdog kills it, and ends when it is gone
            self._lifeline = None
        elif self.exit_code is None:
            self.kill()
        if self.wait(END_TIMEOUT_S) is None:
            self.kill()
            self._process.wait()
