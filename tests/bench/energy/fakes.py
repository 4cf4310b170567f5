# SPDX-License-Identifier: Apache-2.0
"""Fake meters that speak the real ones' protocols over a pty."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator
from itertools import islice
from types import TracebackType

ARRIVAL_S = 0.1  # the kernel hands on what was written to a pty later, on a busy machine


class PtyInstrument:
    """A program on the far side of a serial port. ``answer`` turns received bytes into an answer; while
    ``streaming`` is set, ``stream`` gives bytes to send."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.received = b""
        self.streaming = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def answer(self, data: bytes) -> bytes:
        raise NotImplementedError

    def stream(self) -> bytes:
        raise NotImplementedError

    def unplug(self) -> None:
        """The cable is pulled: reads and writes of the other side fail from now on."""
        self._over.set()
        self._thread.join()
        for end in (self._slave, self._master):
            if end >= 0:
                os.close(end)
        self._slave = self._master = -1

    def __enter__(self) -> PtyInstrument:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._master >= 0:
            self.unplug()

    def _live(self) -> None:
        while not self._over.is_set():
            readable, _, _ = select.select([self._master], [], [], 0.002)
            if readable:
                data = os.read(self._master, 4096)
                self.received += data
                os.write(self._master, self.answer(data))
            if self.streaming.is_set():
                os.write(self._master, self.stream())


class LineInstrument(PtyInstrument):
    """A line-protocol meter that sends the lines of an iterator, a few at a time."""

    def __init__(self, lines: Iterator[str]) -> None:
        super().__init__()
        self._lines = lines
        self.done = threading.Event()

    def answer(self, data: bytes) -> bytes:
        if b"start" in data:
            self.streaming.set()
        if b"stop" in data:
            self.streaming.clear()
        return b""

    def stream(self) -> bytes:
        chunk = list(islice(self._lines, 20))
        if not chunk:
            self.streaming.clear()
            time.sleep(ARRIVAL_S)
            self.done.set()
        return "".join(f"{line}\r\n" for line in chunk).encode()


class Ppk2Instrument(PtyInstrument):
    """A PPK2: answers its metadata, takes its commands, sends 32-bit samples."""

    METADATA = (
        b"Calibrated: 0\nR0: 1000.0\nR1: 100.0\nR2: 10.0\nR3: 1.0\nR4: 0.05\n"
        + b"".join(b"%s%d: %d\n" % (name, i, one) for name, one in ((b"GS", 0), (b"GI", 1)) for i in range(5))
        + b"HW: 9173\nIA: 56\nEND\n"
    )

    def __init__(self, words: Iterator[int]) -> None:
        super().__init__()
        self._words = words
        self.done = threading.Event()

    def answer(self, data: bytes) -> bytes:
        if b"\x06" in data and data != b"\x0d\x06":
            self.streaming.set()
        if b"\x07" in data:
            self.streaming.clear()
        return self.METADATA if b"\x19" in data else b""

    def stream(self) -> bytes:
        chunk = list(islice(self._words, 250))
        if not chunk:
            self.streaming.clear()
            self.done.set()
        return b"".join(word.to_bytes(4, "little") for word in chunk)


class Lpm01aInstrument(PtyInstrument):
    """A PowerShield: acknowledges commands, streams lines of samples with time stamps in between."""

    def __init__(self, lines: Iterator[str], refuse: str = "") -> None:
        super().__init__()
        self._lines = lines
        self._refuse = refuse
        self.commands: list[str] = []
        self.done = threading.Event()

    def answer(self, data: bytes) -> bytes:
        return b"".join(self._one(line) for line in data.decode().split("\r\n") if line)

    def _one(self, command: str) -> bytes:
        self.commands.append(command)
        word = command.split(maxsplit=1)[0]
        if self._refuse and command.startswith(self._refuse):
            return f"PowerShield > error {command}\r\nError detail: bad value\r\n".encode().removeprefix(
                b"PowerShield > "
            )
        if word == "start":
            self.streaming.set()
        if word == "stop":
            self.streaming.clear()
            return b"\r\nPowerShield > Acquisition completed\r\nsummary beg\r\nsummary end\r\n"
        extra = " PowerShield present 0123456789ABCDEF" if word == "powershield" else ""
        return f"PowerShield > ack {command}{extra}\r\n".encode()

    def stream(self) -> bytes:
        chunk = list(islice(self._lines, 10))
        if not chunk:
            self.streaming.clear()
            self.done.set()
        return "".join(f"{line}\r\n" for line in chunk).encode()


Pattern = Callable[[int], float]


def square(index: int) -> float:
    """uA: 1000 idle, 6000 for the last 40 of every 100 samples."""
    return 6000.0 if index % 100 >= 60 else 1000.0
