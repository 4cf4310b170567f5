# SPDX-License-Identifier: Apache-2.0
"""A serial line (a pty) to an emulated board, on which bytes get lost, garbled, late, or cut off."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tinyserve.boards.types import Board
from tinyserve.devices import HasElf, open_device
from tinyserve.devices.link import NoAnswer

Fault = Callable[[bytes], bytes]
"""What becomes of bytes on their way."""


def intact(data: bytes) -> bytes:
    return data


class Once:
    """Applies ``fault`` to the first piece in which ``wanted`` occurs, and lets all others pass."""

    def __init__(self, wanted: bytes, fault: Fault) -> None:
        self._wanted = wanted
        self._fault = fault
        self.done = False

    def __call__(self, data: bytes) -> bytes:
        if self.done or self._wanted not in data:
            return data
        self.done = True
        return self._fault(data)


class FaultyLine:
    """``path`` is the port to open. ``to_board`` and ``to_host`` may be set at any time."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.to_board: Fault = intact
        self.to_host: Fault = intact
        self._over = threading.Event()
        self._cut = threading.Event()
        self.ready = threading.Event()

    def cut(self) -> None:
        """The cable is pulled."""
        self._cut.set()
        self._over.wait(10)

    def inject(self, data: bytes) -> None:
        """Bytes that the host receives from nowhere."""
        os.write(self._master, data)

    def run(self, firmware: HasElf, board: Board) -> None:
        """The board's life, in a thread of its own."""
        try:
            with open_device(firmware, board, "unicorn") as device:
                self.ready.set()
                while not self._cut.is_set():
                    if select.select([self._master], [], [], 0.005)[0]:
                        device.link.write(self.to_board(os.read(self._master, 4096)))
                    with suppress(NoAnswer):
                        said = self.to_host(device.link.read_some(0.01))
                        while said:
                            said = said[os.write(self._master, said) :]
        finally:
            os.close(self._slave)
            os.close(self._master)
            self.ready.set()
            self._over.set()


@contextmanager
def faulty_line(firmware: HasElf, board: Board) -> Iterator[FaultyLine]:
    """A line with the board running at its far end."""
    line = FaultyLine()
    thread = threading.Thread(target=line.run, args=(firmware, board), daemon=True)
    thread.start()
    line.ready.wait(20)
    try:
        yield line
    finally:
        line.cut()
        thread.join(10)
