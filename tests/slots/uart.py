# SPDX-License-Identifier: Apache-2.0
"""A board's serial port that leads to a twin: a pseudo-terminal with a UART behind it, whose two sides
understand each other at one rate alone."""

from __future__ import annotations

import os
import random
import select
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tinyserve import platforms
from tinyserve.devices.emulators.updatable import UpdatableDevice
from tinyserve.devices.link import NoAnswer

_BLOCK = 1 << 12
RATES = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdecimal() and int(name[1:]) > 0
}


class Uart:
    """``most``: the fastest rate at which bytes arrive whole (a cable, an adapter), bit/s."""

    def __init__(self, device: UpdatableDevice, most: int = 10_000_000) -> None:
        self._device = device
        self._most = most
        self._noise = random.Random(1)
        self.is_over = False
        self.rates: set[int] = set()
        self.terminal = platforms.here().open_terminal()

    def run(self) -> None:
        """Until ``is_over``."""
        while not self.is_over:
            if select.select([self.terminal.ours], [], [], 0)[0]:
                asked = os.read(self.terminal.ours, _BLOCK)
                self._device.link.write(self._carried(asked, self._baud))
            before = self._baud  # what is sent has left the UART before the rate changes
            with suppress(NoAnswer):
                self._say(self._carried(self._device.link.read_some(0.01), before))

    @property
    def _baud(self) -> int:
        return self._device.machine.controller.baud

    def _say(self, data: bytes) -> None:
        while data and not self.is_over:
            with suppress(BlockingIOError):
                data = data[os.write(self.terminal.ours, data) :]

    def _carried(self, data: bytes, board: int) -> bytes:
        """What comes out at the other side: noise, where the rates differ or are beyond the cable."""
        host = RATES[termios.tcgetattr(self.terminal.theirs)[4]]
        if data:
            self.rates.add(board)
        if host == board and host <= self._most:
            return data
        return self._noise.randbytes(len(data) * board // host)


@contextmanager
def joined(device: UpdatableDevice, most: int = 10_000_000) -> Iterator[Uart]:
    """The port's name is ``terminal.name``."""
    uart = Uart(device, most)
    thread = threading.Thread(target=uart.run)
    thread.start()
    try:
        yield uart
    finally:
        uart.is_over = True
        thread.join(30)
        os.close(uart.terminal.ours)
        os.close(uart.terminal.theirs)
