# SPDX-License-Identifier: Apache-2.0
"""What an emulator's monitor gives: instruction counts per basic block, and the firmware's serial bytes.

Two monitors have this interface: ``native`` (C hooks, fast) and ``interpreted`` (Python hooks, for machines
on which no C compiler runs).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from unicorn import Uc

    from tinyserve.boards.types import Core

# Where Cortex-M firmware reads instructions: DWT CYCCNT. RV32 firmware reads core.registers.timer.
CYCCNT = 0xE0001004
PAGE_BYTES = 0x400


class Stop(IntFlag):
    """Why the monitor stopped the emulator. The values are those of monitor.c."""

    NONE = 0
    BUDGET = 1
    WAITING = 2
    LINE = 4
    TABLE = 8
    OUTPUT = 16


@dataclass(frozen=True)
class Block:
    """A straight run of instructions that was executed ``count`` times."""

    address: int
    bytes: int
    instructions: int
    count: int

    @property
    def executed(self) -> int:
        """Instructions executed in it."""
        return self.instructions * self.count


class Monitor(Protocol):
    """Attached to one Unicorn engine for its life."""

    stop_at: int
    """The engine is stopped before the first block that begins when ``total`` has reached this."""

    @property
    def total(self) -> int:
        """Instructions executed so far, those of the block now running included."""
        ...

    @property
    def marker(self) -> int:
        """What the firmware last wrote to its marker register: 1 during an inference."""
        ...

    @property
    def marked(self) -> int:
        """How often the firmware wrote 1 to its marker register."""
        ...

    def take_stop(self) -> Stop:
        """Why the engine was stopped since the last call; does what must be done before it goes on."""
        ...

    def feed(self, data: bytes) -> None:
        """Bytes for the firmware to receive, after those that wait already."""
        ...

    @property
    def has_input(self) -> bool:
        """Bytes that the firmware has not taken yet are left."""
        ...

    def drop_input(self) -> None:
        """Forgets the bytes that the firmware has not taken yet."""
        ...

    def forget(self) -> None:
        """Forgets the blocks counted so far: the code has changed. Only between two runs."""
        ...

    def take_output(self) -> bytes:
        """What the firmware sent since the last call."""
        ...

    def split(self, pc: int, size: int) -> int:
        """The running block was left before the instruction at ``pc`` of ``size`` bytes, which the caller
        carries out. Counts what ran, that instruction included; returns how many ran before it."""
        ...

    def snapshot(self) -> Any:
        """The counts as they stand, cheap to take; what it is only the monitor knows."""
        ...

    def blocks(self, snapshot: Any = None) -> list[Block]:
        """The counts of a snapshot (None: those so far), in no order."""
        ...


class MonitorClass(Protocol):
    """Makes a monitor and maps its registers into the engine."""

    def __call__(self, uc: Uc, core: Core) -> Monitor: ...


def instruction_bytes(low_byte: int, high_byte: int, riscv: bool) -> int:
    """Length of the instruction whose first two bytes are given."""
    if riscv:
        return 4 if low_byte & 3 == 3 else 2
    return 4 if high_byte >= 0xE8 else 2
