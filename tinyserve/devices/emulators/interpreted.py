# SPDX-License-Identifier: Apache-2.0
"""The monitor in Python: the same counts as the native one, some fifteen times slower.

Used where monitor.c can't be built (no compiler, no writable cache).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import unicorn

from tinyserve.boards.types import Core
from tinyserve.devices.emulators.monitor import CYCCNT, PAGE_BYTES, Block, Stop, instruction_bytes

IDLE_POLLS = 3


class InterpretedMonitor:
    """Implements ``monitor.Monitor``; monitor.c says why each step is as it is."""

    def __init__(self, uc: unicorn.Uc, core: Core) -> None:
        self._uc = uc
        self._riscv = core.port == "riscv"
        self._lengths: dict[tuple[int, int], int] = {}
        self._counts: dict[tuple[int, int], int] = {}
        self._current = (0, 0)
        self._input = bytearray()
        self._output = bytearray()
        self._reasons = Stop.NONE
        self._polls = 0
        self._marker: int | None = None
        self.marked = 0
        self.total = 0
        self.stop_at = 0
        uc.hook_add(unicorn.UC_HOOK_BLOCK, self._on_block)
        self._map_registers(core)

    @property
    def marker(self) -> int:
        return self._marker or 0

    def take_stop(self) -> Stop:
        reasons, self._reasons, self._polls = self._reasons, Stop.NONE, 0
        return reasons

    def feed(self, data: bytes) -> None:
        self._input += data

    @property
    def has_input(self) -> bool:
        return bool(self._input)

    def drop_input(self) -> None:
        self._input.clear()

    def forget(self) -> None:
        self._counts.clear()
        self._lengths.clear()

    def take_output(self) -> bytes:
        data = bytes(self._output)
        self._output.clear()
        return data

    def split(self, pc: int, size: int) -> int:
        whole = self._current
        self._counts[whole] -= 1
        self.total -= self._lengths[whole]
        part = (whole[0], pc + size - whole[0])
        self._enter(part)
        return self.total - 1

    def snapshot(self) -> Any:
        return dict(self._counts)

    def blocks(self, snapshot: Any = None) -> list[Block]:
        counts = self._counts if snapshot is None else snapshot
        return [Block(key[0], key[1], self._lengths[key], count) for key, count in counts.items() if count]

    def _enter(self, key: tuple[int, int]) -> None:
        if key not in self._lengths:
            self._lengths[key] = self._count_instructions(*key)
            self._counts[key] = 0
        self._counts[key] += 1
        self.total += self._lengths[key]

    def _count_instructions(self, address: int, size: int) -> int:
        code = self._uc.mem_read(address, size)
        at = count = 0
        while at < size:
            at += instruction_bytes(code[at], code[at + 1], self._riscv)
            count += 1
        return count

    def _on_block(self, uc: unicorn.Uc, address: int, size: int, user: object) -> None:
        if self.total >= self.stop_at:
            self._reasons |= Stop.BUDGET
        if self._reasons:
            uc.emu_stop()
            return
        self._current = (address, size)
        self._enter(self._current)

    def _map_registers(self, core: Core) -> None:
        assert core.registers is not None
        if self._riscv:
            self._map(core.registers.uart, PAGE_BYTES * 4, self._ns16550_read, self._ns16550_write)
            return
        self._map(core.registers.uart, PAGE_BYTES, self._cmsdk_read, self._cmsdk_write)
        self._map(core.registers.marker, PAGE_BYTES, self._marker_read, self._marker_write)
        clock_page = CYCCNT & -PAGE_BYTES
        rest = clock_page + PAGE_BYTES
        self._map(0xE0000000, clock_page - 0xE0000000, _zero_read, _ignore_write)
        self._map(rest, 0xE0100000 - rest, _zero_read, _ignore_write)

    def _map(self, address: int, size: int, read: Callable[..., int], write: Callable[..., None]) -> None:
        self._uc.mmio_map(address, size, read, None, write, None)

    def _received(self) -> bool:
        if self._input:
            return True
        self._polls += 1
        if self._polls >= IDLE_POLLS:
            self._reasons |= Stop.WAITING
        return False

    def _receive(self) -> int:
        self._polls = 0
        return self._input.pop(0) if self._input else 0

    def _send(self, byte: int) -> None:
        self._polls = 0
        self._output.append(byte)
        if byte == 0x0A:
            self._reasons |= Stop.LINE

    def _cmsdk_read(self, uc: unicorn.Uc, offset: int, size: int, user: Any) -> int:
        if offset == 0:
            return self._receive()
        return 2 if offset == 4 and self._received() else 0

    def _cmsdk_write(self, uc: unicorn.Uc, offset: int, size: int, value: int, user: Any) -> None:
        if offset == 0:
            self._send(value & 0xFF)

    def _ns16550_read(self, uc: unicorn.Uc, offset: int, size: int, user: Any) -> int:
        if offset == 0:
            return self._receive()
        if offset == 5:
            return 0x61 if self._received() else 0x60
        if offset == 7:
            return 0x75 if self._marker is None else self._marker
        return 0

    def _ns16550_write(self, uc: unicorn.Uc, offset: int, size: int, value: int, user: Any) -> None:
        if offset == 0:
            self._send(value & 0xFF)
        elif offset == 7:
            self._mark(value)

    def _marker_read(self, uc: unicorn.Uc, offset: int, size: int, user: Any) -> int:
        return self.marker if offset == 0 else 0

    def _marker_write(self, uc: unicorn.Uc, offset: int, size: int, value: int, user: Any) -> None:
        if offset == 0:
            self._mark(value)

    def _mark(self, value: int) -> None:
        self._marker = value
        self.marked += value == 1


def _zero_read(uc: unicorn.Uc, offset: int, size: int, user: Any) -> int:
    return 0


def _ignore_write(uc: unicorn.Uc, offset: int, size: int, value: int, user: Any) -> None:
    return None
