# SPDX-License-Identifier: Apache-2.0
"""Fake meters that speak the real ones' protocols over a pty."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from types import TracebackType

import pytest
import serial

from tinyserve.bench.energy.meter import Recording

_PATIENCE_S = 60.0
_taken: Counter[str] = Counter()
"""Bytes that programs have read, by port."""


def count_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes what programs read of their ports: the kernel hands on what was written to a pty when it finds
    the time."""
    read = serial.Serial.read

    def counting(port: serial.Serial, size: int = 1) -> bytes:
        data = bytes(read(port, size))
        _taken[port.port] += len(data)
        return data

    monkeypatch.setattr(serial.Serial, "read", counting)


class PtyInstrument:
    """A program on the far side of a serial port. ``answer`` turns received bytes into an answer; while
    ``streaming`` is set, ``stream`` gives bytes to send; ``done`` is set when it has no more."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self._sent = 0
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        _taken[self.port] = 0
        self.received = b""
        self.streaming = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def answer(self, data: bytes) -> bytes:
        raise NotImplementedError

    def stream(self) -> bytes:
        raise NotImplementedError

    def wait_recorded(self, recording: Recording) -> None:
        """Until it has sent all that it has and the recording has taken that, or has failed. Needs
        ``count_reads``."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not recording.failed() and not (self.done.is_set() and _taken[self.port] == self._sent):
            assert time.monotonic() < deadline_s, f"{_taken[self.port]} of {self._sent} bytes were read"
            time.sleep(0.001)

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
                self._write(self.answer(data))
            if self.streaming.is_set():
                data = self.stream()
                self._write(data)
                if not data:
                    self.streaming.clear()
                    self.done.set()

    def _write(self, data: bytes) -> None:
        while data:
            sent = os.write(self._master, data)
            self._sent += sent
            data = data[sent:]


class LineInstrument(PtyInstrument):
    """A line-protocol meter that sends the lines of an iterator, a few at a time."""

    def __init__(self, lines: Iterator[str]) -> None:
        super().__init__()
        self._lines = lines

    def answer(self, data: bytes) -> bytes:
        if b"start" in data:
            self.streaming.set()
        if b"stop" in data:
            self.streaming.clear()
        return b""

    def stream(self) -> bytes:
        return "".join(f"{line}\r\n" for line in islice(self._lines, 20)).encode()


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

    def answer(self, data: bytes) -> bytes:
        if b"\x06" in data and data != b"\x0d\x06":
            self.streaming.set()
        if b"\x07" in data:
            self.streaming.clear()
        return self.METADATA if b"\x19" in data else b""

    def stream(self) -> bytes:
        return b"".join(word.to_bytes(4, "little") for word in islice(self._words, 250))


class Lpm01aInstrument(PtyInstrument):
    """A PowerShield: acknowledges commands, streams lines of samples with time stamps in between."""

    def __init__(self, lines: Iterator[str], refuse: str = "") -> None:
        super().__init__()
        self._lines = lines
        self._refuse = refuse
        self.commands: list[str] = []

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
        return "".join(f"{line}\r\n" for line in islice(self._lines, 10)).encode()


Pattern = Callable[[int], float]


def square(index: int) -> float:
    """uA: 1000 idle, 6000 for the last 40 of every 100 samples."""
    return 6000.0 if index % 100 >= 60 else 1000.0
