# SPDX-License-Identifier: Apache-2.0
"""Every error that a user can cause or meet, with what to try next and the exit status of the CLI.

Exit statuses are part of the interface (docs/guide/errors.md):

====  ==========================================================
0     success
1     an internal error: a bug in tinyserve
2     wrong usage: unknown option, unknown board, bad argument
3     a budget or baseline was broken (``bench``)
4     the model: unreadable, invalid, or uses what is unsupported
5     the data: calibration or data set missing, malformed, mismatched
6     a tool is missing or failed (compiler, emulator, PlatformIO)
7     the model does not fit the board
8     the device: no answer, garbage, crash, vanished
9     the file system: no permission, disk full, path in the way; no memory
10    a device refused a model image, or went back to the model before it (``update``)
129   hung up (SIGHUP)
130   interrupted (Ctrl-C)
143   terminated (SIGTERM)
====  ==========================================================
"""

from __future__ import annotations

import errno

from tinyserve.escapes import clipped

LONGEST_LINE = 2000
"""Of a message: what it quotes of a file or a device may be of any length."""
LONGEST_COMMAND = 20_000
"""Of a hint, which may be a compiler's command line to copy."""


class TinyserveError(Exception):
    """Base of all expected errors: ``message`` says what and where, ``hint`` says what to try.

    A hint may be empty where nothing can be tried. Lines longer than any that we write lose their middle.
    """

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        message = clipped(message, LONGEST_LINE)
        super().__init__(message)
        self.message = message
        self.hint = clipped(hint, LONGEST_COMMAND)

    def __str__(self) -> str:
        return f"{self.message}\n  try: {self.hint}" if self.hint else self.message


class UsageError(TinyserveError):
    """The command line or a configuration file asks for something that does not exist."""

    exit_status = 2


class BudgetError(TinyserveError):
    """A measured figure is beyond its budget or worse than its baseline."""

    exit_status = 3


class ModelError(TinyserveError):
    """The model file is unreadable, invalid, or cannot be compiled."""

    exit_status = 4


class UnsupportedError(ModelError):
    """The model is valid but uses an operator, type or option that the engine does not have."""


class DataError(TinyserveError):
    """Representative data or a data set is missing, malformed or does not match the model."""

    exit_status = 5


class ToolError(TinyserveError):
    """A tool that a step needs is missing or failed."""

    exit_status = 6


class FitError(TinyserveError):
    """The firmware does not fit the board's flash or RAM."""

    exit_status = 7


class DeviceError(TinyserveError):
    """The device or emulator hung, crashed, answered garbage or vanished."""

    exit_status = 8


class RefusedError(TinyserveError):
    """A device refused an image, or the model that it had on trial was taken back."""

    exit_status = 10


_NO_ROOM = {
    errno.ENOSPC: "free some space, or choose a directory on another disk",
    errno.EDQUOT: "free some space, or choose a directory on another disk",
    errno.EFBIG: "raise `ulimit -f`, or choose a file system that holds larger files",
}
_OS_HINTS = _NO_ROOM | {
    errno.EACCES: "choose another directory, or change its permissions",
    errno.EPERM: "choose another directory, or change its permissions",
    errno.EROFS: "the file system is read-only: choose another directory",
    errno.ENOMEM: "close other programs, or raise `ulimit -v`",
    errno.ENOENT: "check the path",
    errno.EEXIST: "choose another name, or move what is there away",
    errno.ENOTDIR: "a part of the path is a file: choose another one",
    errno.EISDIR: "a directory is in the way: choose another name",
}


def os_hint(error: OSError) -> str:
    """What to try, by what the system says; empty where nothing is known."""
    return _OS_HINTS.get(error.errno or 0, "")


def write_hint(error: OSError, elsewhere: str) -> str:
    """What to try where files could not be written: ``elsewhere``, unless they found no room."""
    return _NO_ROOM.get(error.errno or 0, elsewhere)


class FileSystemError(TinyserveError):
    """A file or directory can't be read, written or replaced."""

    exit_status = 9


class StoppedError(TinyserveError):
    """A signal ended the command when a part of its work was done; that part is kept."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Terminated(SystemExit):
    """SIGTERM. Like KeyboardInterrupt it is no TinyserveError, and unwinds the stack past all that goes on
    after errors: emulators and temporary files go. ``code`` is 143."""
