# SPDX-License-Identifier: Apache-2.0
"""A board in Unicorn that can write its flash, be reset, and lose its power: for firmware with slots.

Unlike a plain twin it takes its faults itself: the exception is delivered to the firmware's handler, as the
core would do it.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import unicorn
from unicorn import arm_const, riscv_const

from tinyserve.boards.types import Board
from tinyserve.devices.device import Device
from tinyserve.devices.emulators.controller import (
    PAGE_BYTES,
    Cause,
    Controller,
    WritableFlash,
    controller_address,
)
from tinyserve.devices.emulators.monitor import Stop
from tinyserve.devices.emulators.unicorn import BUDGET_INSTRUCTIONS, Machine, UnicornLink
from tinyserve.devices.link import LinkClosed
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, FileSystemError
from tinyserve.files import write

_HARD_FAULT = 3
_EXC_RETURN = 0xFFFFFFF9
_IT_BITS = 0x0600FC00
_ILLEGAL, _LOAD_FAULT = 2, 5
_FRAME = (
    arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R1, arm_const.UC_ARM_REG_R2, arm_const.UC_ARM_REG_R3,
    arm_const.UC_ARM_REG_R12, arm_const.UC_ARM_REG_LR,
)  # fmt: skip


class PowerLost(LinkClosed):
    """The power went where a test wanted it to. ``power_on`` starts the board again."""


class UpdatableMachine(Machine):
    """A machine with a controller."""

    def __init__(self, symbols: Symbols, board: Board, flash: WritableFlash) -> None:
        super().__init__(symbols, board)
        self.flash = flash
        self.resets = 0
        self._in_fault = False
        self._at_reset = self._uc.context_save()
        self.controller = Controller(self._uc, flash, self._now, self._come_to_rest)
        self._uc.mmio_map(
            controller_address(board.core), PAGE_BYTES, self._on_read, None, self._on_write, None
        )
        self._uc.mem_write(flash.first, b"\xff" * (flash.end - flash.first))

    def power_on(self) -> None:
        """The board starts with nothing in RAM."""
        ram = self.board.ram
        assert ram is not None
        self._uc.mem_write(ram.origin, os.urandom(256) * (ram.bytes // 256))
        self._restart(Cause.POWER_ON)

    def wake(self, ram: bytes) -> None:
        """The board starts with what ``read_ram`` gave in RAM."""
        assert self.board.ram is not None
        self._uc.mem_write(self.board.ram.origin, ram)
        self._restart(Cause.WOKEN)

    def read_ram(self) -> bytes:
        """All of RAM."""
        assert self.board.ram is not None
        return self.read_memory(self.board.ram.origin, self.board.ram.bytes)

    def read_flash(self) -> bytes:
        """What may be written of the flash."""
        return self.read_memory(self.flash.first, self.flash.end - self.flash.first)

    def write_flash(self, content: bytes) -> None:
        """Puts the flash into a state that ``read_flash`` gave. The board must be started again."""
        if len(content) != self.flash.end - self.flash.first:
            raise DeviceError("the kept flash has another size than the board's", "remove it, and start anew")
        self._uc.mem_write(self.flash.first, content)
        self._uc.ctl_flush_tb()

    def run(self, instructions: int) -> Stop:
        """As a machine's; resets, watchdog and power cuts happen on the way. Raises PowerLost."""
        limit = self.monitor.total + instructions
        seen = Stop.NONE
        while True:
            deadline = self.controller.deadline
            until = limit if deadline is None else min(limit, deadline)
            seen |= super().run(max(until - self.monitor.total, 0)) & ~Stop.BUDGET
            self._attend()
            if seen or self.monitor.total >= limit:
                return seen or Stop.BUDGET

    def _now(self) -> int:
        return self.monitor.total

    def _come_to_rest(self) -> None:
        self.monitor.stop_at = 0

    def _attend(self) -> None:
        """What the controller was told while the core ran."""
        controller = self.controller
        if controller.power_is_gone:
            raise PowerLost(f"{self.board.id}: the power is gone")
        if controller.flash_changed:
            controller.flash_changed = False
            self._uc.ctl_flush_tb()
            self.monitor.forget()
            self.window = None
        if controller.reset_wanted:
            self._restart(Cause.SOFTWARE)
        elif controller.deadline is not None and self.monitor.total >= controller.deadline:
            self._restart(Cause.WATCHDOG)

    def _restart(self, cause: Cause) -> None:
        self._uc.context_restore(self._at_reset)
        self._uc.ctl_flush_tb()
        self.monitor.drop_input()
        self.crash = None
        self._access = None
        self._exception = None
        self._in_fault = False
        self.controller.start(cause)
        self.resets += 1
        self._pc = self._reset()

    def _fail(self, error: unicorn.UcError) -> None:
        """Delivers the fault to the firmware; one in its handler is a crash like any other."""
        if self._in_fault or not (self._trap() if self._riscv else self._hard_fault()):
            super()._fail(error)
        self._in_fault = True
        self._access = None
        self._exception = None

    def _hard_fault(self) -> bool:
        values = [int(self._uc.reg_read(register)) for register in _FRAME]
        cpsr = int(self._uc.reg_read(arm_const.UC_ARM_REG_CPSR))
        stack = int(self._uc.reg_read(arm_const.UC_ARM_REG_SP)) - 32
        try:
            self._uc.mem_write(stack, struct.pack("<8I", *values, self._pc, cpsr & 0xF8000000 | 1 << 24))
        except (unicorn.UcError, struct.error):
            return False
        vectors = self.board.vectors or self.board.flash
        assert vectors is not None
        (handler,) = struct.unpack("<I", self._uc.mem_read(vectors.origin + 4 * _HARD_FAULT, 4))
        self._uc.reg_write(arm_const.UC_ARM_REG_SP, stack)
        self._uc.reg_write(arm_const.UC_ARM_REG_LR, _EXC_RETURN)
        self._uc.reg_write(arm_const.UC_ARM_REG_CPSR, cpsr & ~_IT_BITS)
        self._pc = handler & ~1
        return True

    def _trap(self) -> bool:
        handler = int(self._uc.reg_read(riscv_const.UC_RISCV_REG_MTVEC)) & ~3
        cause = self._exception if self._exception is not None else _LOAD_FAULT if self._access else _ILLEGAL
        address = self._access.address if self._access else 0
        behind = (
            4 if self._exception == _ILLEGAL else 0
        )  # Unicorn is past an instruction that it does not know
        self._uc.reg_write(riscv_const.UC_RISCV_REG_MEPC, self._pc - behind)
        self._uc.reg_write(riscv_const.UC_RISCV_REG_MCAUSE, cause)
        self._uc.reg_write(riscv_const.UC_RISCV_REG_MTVAL, address)
        self._pc = handler
        return handler != 0

    def _on_read(self, uc: unicorn.Uc, offset: int, size: int, user: object) -> int:
        return self.controller.read(offset)

    def _on_write(self, uc: unicorn.Uc, offset: int, size: int, value: int, user: object) -> None:
        self.controller.write(offset, value & 0xFFFFFFFF)


class UpdatableDevice(Device):
    """A board with slots in Unicorn. ``kept``: the file that its flash, and what sleep leaves of its RAM,
    stays in until the next start."""

    link: UnicornLink

    def __init__(
        self, symbols: Symbols, board: Board, flash: WritableFlash, kept: Path | None = None
    ) -> None:
        self.machine = UpdatableMachine(symbols, board, flash)
        self._kept = kept
        if kept is not None and kept.exists():
            self._start_from(kept)
        link = UnicornLink(self.machine, BUDGET_INSTRUCTIONS)
        super().__init__(link, f"{board.id} with slots, emulated by Unicorn", "instructions", symbols)

    def keep(self) -> None:
        """Writes flash to its file, and RAM behind it where the power is on."""
        if self._kept is not None:
            machine = self.machine
            ram = b"" if machine.controller.power_is_gone else machine.read_ram()
            write(self._kept, machine.read_flash() + ram)

    def _start_from(self, kept: Path) -> None:
        try:
            content = kept.read_bytes()
        except OSError as error:
            raise FileSystemError(f"{kept}: {error.strerror}", "remove it, and start anew") from error
        flash, ram = self.machine.flash, self.machine.board.ram
        size = flash.end - flash.first
        self.machine.write_flash(content[:size])
        if ram is not None and len(content) == size + ram.bytes:
            self.machine.wake(content[size:])

    def close(self) -> None:
        """Keeps the flash; may be called twice."""
        if not self.link.is_closed:
            self.link.close()
            self.keep()
