# SPDX-License-Identifier: Apache-2.0
"""The controller of a twin with slots: flash that is erased by sectors and programmed by words, a watchdog,
and the reset. Programming clears bits alone. The power can be cut before, inside and after any erase or word.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from tinyserve.boards.types import Core

PAGE_BYTES = 0x1000
_ADDRESSES = {"cortex_m": 0x4003_0000, "riscv": 0x1003_0000}
_ADDRESS, _PROGRAM, _ERASE, _STATUS, _WATCHDOG, _RESET, _CAUSE, _BAUD, _RANDOM = range(0, 36, 4)
_POWER_ON_BAUD = 115_200


def controller_address(core: Core) -> int:
    """Where the registers of the core's twin lie."""
    return _ADDRESSES[core.port]


class Cause(IntEnum):
    """Why the core started."""

    POWER_ON = 0
    SOFTWARE = 1
    WATCHDOG = 2
    WOKEN = 3
    """From a sleep that kept the RAM."""


class When(IntEnum):
    """Where in an operation the power goes."""

    BEFORE = 0
    INSIDE = 1
    AFTER = 2


@dataclass(frozen=True)
class Cut:
    """The power goes at the ``operation``-th erase or word from now on, counted from 1. ``seed``: of the bits
    that a torn operation leaves."""

    operation: int
    when: When
    seed: int = 0


@dataclass(frozen=True)
class Operation:
    """What the firmware did to its flash. ``word`` None: an erase."""

    address: int
    word: int | None


@dataclass(frozen=True)
class WritableFlash:
    """The part of flash that firmware may write, in sectors."""

    first: int
    end: int
    sector_bytes: int


class Memory(Protocol):
    """The machine's memory."""

    def mem_read(self, address: int, size: int) -> bytearray: ...
    def mem_write(self, address: int, data: bytes) -> None: ...


class Controller:
    """The registers. ``stop`` asks the machine to come to rest at the next block, where it looks at
    ``power_is_gone``, ``reset_wanted`` and ``flash_changed``. Writes outside of ``flash`` fail: the
    firmware's own code lies there. ``baud`` is what the firmware has set its line to, bit/s; ``random`` draws
    what it takes for noise."""

    def __init__(
        self, memory: Memory, flash: WritableFlash, clock: Callable[[], int], stop: Callable[[], None]
    ) -> None:
        self._memory = memory
        self._first, self._end, self._sector = flash.first, flash.end, flash.sector_bytes
        self._clock, self._stop = clock, stop
        self.cut: Cut | None = None
        self.operations: list[Operation] = []
        self.record_operations = False
        self.count = 0
        self.violations = 0
        self.random: Callable[[int], bytes] = os.urandom
        self.start(Cause.POWER_ON)

    def start(self, cause: Cause) -> None:
        """As after a reset for that cause."""
        self.cause = cause
        self.deadline: int | None = None
        self.power_is_gone = self.reset_wanted = self.flash_changed = False
        self._address = self._status = 0
        self.baud = _POWER_ON_BAUD

    def read(self, offset: int) -> int:
        """What a load from a register gives."""
        if offset == _RANDOM:
            return int.from_bytes(self.random(4), "little")
        return {_STATUS: self._status, _CAUSE: int(self.cause)}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """What a store to a register does."""
        if self.power_is_gone:
            return
        if offset == _ADDRESS:
            self._address = value
        elif offset == _PROGRAM:
            self._operate(Operation(self._address, value))
        elif offset == _ERASE:
            self._operate(Operation(value, None))
        elif offset == _WATCHDOG:
            self.deadline = self._clock() + value if value else None
            self._stop()
        elif offset == _BAUD:
            self.baud = value
        elif offset == _RESET:
            self.reset_wanted = True
            self._stop()

    def _operate(self, operation: Operation) -> None:
        size = 4 if operation.word is not None else self._sector
        in_range = self._first <= operation.address <= self._end - size
        self._status = int(not in_range or operation.address % size != 0)
        if self._status:
            return
        self.count += 1
        cut = self.cut if self.cut and self.cut.operation == self.count else None
        if cut is None or cut.when is not When.BEFORE:
            noise = random.Random(cut.seed) if cut and cut.when is When.INSIDE else None
            before = bytes(self._memory.mem_read(operation.address, size))
            if operation.word is not None and before != b"\xff" * size:
                self.violations += 1
            self._memory.mem_write(operation.address, after(operation, before, noise))
            if self.record_operations:
                self.operations.append(operation)
        if operation.word is None:
            self.flash_changed = True
            self._stop()
        if cut is not None:
            self.power_is_gone = True
            self._stop()


def after(operation: Operation, before: bytes, noise: random.Random | None = None) -> bytes:
    """What an operation makes of the bytes there; torn where there is ``noise``: some bits done, some not."""
    if operation.word is None:
        if noise is None:
            return b"\xff" * len(before)
        return bytes(old | new for old, new in zip(before, noise.randbytes(len(before)), strict=True))
    word = operation.word | (noise.getrandbits(32) if noise else 0)
    return (int.from_bytes(before, "little") & word).to_bytes(4, "little")
