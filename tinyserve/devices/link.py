# SPDX-License-Identifier: Apache-2.0
"""The link: a line-oriented connection to whatever runs the firmware, with deadlines and a transcript.

Every device, real or emulated, gives one. A subclass moves bytes; lines are put together here, so that all
devices treat split, joined and garbled lines the same way.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque

from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError

MAX_LINE_BYTES = 1 << 16
TRANSCRIPT_LINES = 40
SHOWN_BYTES = 160


class NoAnswer(DeviceError):
    """Nothing (or only part of a line) came before the deadline."""


class LinkClosed(DeviceError):
    """The other side is gone: unplugged, exited, or crashed."""


class Transcript:
    """What was said last, in both directions, for error messages."""

    def __init__(self) -> None:
        self._lines: deque[tuple[str, str]] = deque(maxlen=TRANSCRIPT_LINES)

    def sent(self, data: bytes) -> None:
        self._lines.append((">", _shorten(data)))

    def received(self, line: bytes) -> None:
        self._lines.append(("<", _shorten(line)))

    def last_received(self) -> str:
        """The last line received, '' if none."""
        return next((text for direction, text in reversed(self._lines) if direction == "<"), "")

    def __str__(self) -> str:
        """One line per entry, '> ' for sent and '< ' for received, oldest first."""
        return "\n".join(f"{direction} {text}" for direction, text in self._lines)


class Link(ABC):
    """A serial-like connection. Not thread-safe: one user at a time.

    ``is_wire`` says that it is a real line: bytes may be lost on it, and the device may be running already
    (where it is False the firmware starts with the link and every byte arrives).
    """

    is_wire = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.transcript = Transcript()
        self.symbols: Symbols | None = None
        self._pending = bytearray()
        self._closed = False

    def write(self, data: bytes) -> None:
        """Sends all of ``data``. Raises LinkClosed when the device is gone, NoAnswer when it takes none."""
        if self._closed:
            raise LinkClosed(f"{self.name}: the link is closed")
        self.transcript.sent(data)
        self._send(data)

    def read_line(self, timeout_s: float) -> str:
        """The next line without its line end, decoded as ASCII (other bytes as ``\\xNN``).

        Raises NoAnswer after ``timeout_s`` seconds (what came of a line so far is kept for the next call),
        LinkClosed when the device is gone, DeviceError when a line is longer than 64 KiB.
        """
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            if len(self._pending) > MAX_LINE_BYTES:
                raise self._endless_line()
            if self._closed:
                raise LinkClosed(f"{self.name}: the link is closed")
            chunk = self._receive(max(0.0, deadline - time.monotonic()))
            self._pending += chunk
            if b"\n" not in chunk and time.monotonic() >= deadline:
                raise NoAnswer(self._silence(timeout_s))
        line, _, rest = bytes(self._pending).partition(b"\n")
        self._pending = bytearray(rest)
        line = line.rstrip(b"\r")
        self.transcript.received(line)
        return line.decode("ascii", errors="backslashreplace")

    def read_some(self, timeout_s: float) -> bytes:
        """What came, not put into lines; b"" if nothing did within ``timeout_s``. Raises as ``read_line``
        does."""
        if self._pending:
            data = bytes(self._pending)
            self._pending.clear()
            return data
        return self._receive(timeout_s)

    def discard_input(self) -> None:
        """Drops what was received and not read yet."""
        self._pending.clear()

    @property
    def partial_line(self) -> bytes:
        """What came of a line whose end has not come."""
        return bytes(self._pending)

    def close(self) -> None:
        """Closes the connection; may be called twice."""
        self._closed = True

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def whereabouts(self) -> str:
        """What the device is doing, for errors: emulators know it, '' where nobody does."""
        return ""

    def set_baud(self, baud: int) -> None:
        """Sends and receives at another rate from now on, where the connection has one."""
        del baud

    def place(self, address: int) -> str:
        """Where a code address lies; devices that know the firmware's symbols set ``symbols``."""
        return self.symbols.place(address) if self.symbols else f"{address:#010x}"

    @abstractmethod
    def _send(self, data: bytes) -> None: ...

    @abstractmethod
    def _receive(self, timeout_s: float) -> bytes:
        """Some bytes, or b"" after at most ``timeout_s``. Raises LinkClosed at the stream's end."""

    def _endless_line(self) -> DeviceError:
        head = _shorten(bytes(self._pending))
        self._pending.clear()
        return DeviceError(
            f"{self.name}: more than {MAX_LINE_BYTES} bytes without a line end, beginning with {head!r}",
            "check the baud rate, and that this port belongs to the board",
        )

    def _silence(self, timeout_s: float) -> str:
        return self.describe(f"no answer within {timeout_s:g} s")

    def describe(self, what: str) -> str:
        """A message about this link: ``what`` happened, where the device is, what came last."""
        where = self.whereabouts()
        message = f"{self.name}: {what}{f', {where}' if where else ''}"
        if self._pending:
            return f"{message}; received last: {_shorten(bytes(self._pending))!r} without a line end"
        last = self.transcript.last_received()
        return f"{message}; received last: {last!r}" if last else f"{message}; nothing was ever received"


def _shorten(data: bytes) -> str:
    text = data[:SHOWN_BYTES].decode("ascii", errors="backslashreplace").rstrip("\r\n")
    return f"{text}… ({len(data)} bytes)" if len(data) > SHOWN_BYTES else text
