# SPDX-License-Identifier: Apache-2.0
"""What watches an emulated core: instruction counts per basic block, and the firmware's serial bytes.

monitor.c has the hooks: it is built once per machine, and its functions are handed to Unicorn by pointer.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import unicorn
from unicorn.unicorn_py3 import unicorn as binding  # the pinned version's handle of libunicorn

from tinyserve.boards.types import Core
from tinyserve.devices.emulators import shared_library
from tinyserve.errors import ToolError

SOURCE = Path(__file__).with_name("monitor.c")
BLOCK = np.dtype([("key", "<u8"), ("count", "<u8"), ("instructions", "<u8")])
FIRST_CAPACITY = 1 << 12
OUTPUT_BYTES = 1 << 16

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


class _State(ctypes.Structure):
    """ts_monitor of monitor.c."""

    _fields_ = (
        ("mem_read", ctypes.c_void_p),
        ("emu_stop", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
        ("total", ctypes.c_uint64),
        ("stop_at", ctypes.c_uint64),
        ("current", ctypes.c_void_p),
        ("input", ctypes.c_void_p),
        ("input_size", ctypes.c_uint64),
        ("input_next", ctypes.c_uint64),
        ("output", ctypes.c_void_p),
        ("output_capacity", ctypes.c_uint64),
        ("output_size", ctypes.c_uint64),
        ("stop_reasons", ctypes.c_uint32),
        ("is_riscv", ctypes.c_uint32),
        ("marker", ctypes.c_uint32),
        ("marker_written", ctypes.c_uint32),
        ("marked", ctypes.c_uint32),
        ("parts", ctypes.c_uint32),
        ("polls", ctypes.c_uint32),
    )


class Monitor:
    """Attached to one Unicorn engine for its life; maps its registers into it.

    Raises ToolError when monitor.c can't be built or loaded.
    """

    def __init__(self, uc: unicorn.Uc, core: Core) -> None:
        self._library = _load()
        self._uc = uc
        self._table = np.zeros(FIRST_CAPACITY, BLOCK)
        self._input = ctypes.create_string_buffer(1)
        self._output = ctypes.create_string_buffer(OUTPUT_BYTES)
        self._state = _State(
            mem_read=ctypes.cast(binding.uclib.uc_mem_read, ctypes.c_void_p),
            emu_stop=ctypes.cast(binding.uclib.uc_emu_stop, ctypes.c_void_p),
            blocks=self._table.ctypes.data,
            capacity=len(self._table),
            input=ctypes.addressof(self._input),
            output=ctypes.addressof(self._output),
            output_capacity=OUTPUT_BYTES,
            is_riscv=core.port == "riscv",
        )
        self._hook()
        self._map_registers(core)

    @property
    def total(self) -> int:
        """Instructions executed so far, those of the block now running included."""
        return int(self._state.total)

    @property
    def stop_at(self) -> int:
        """The engine is stopped before the first block that begins when ``total`` has reached this."""
        return int(self._state.stop_at)

    @stop_at.setter
    def stop_at(self, value: int) -> None:
        self._state.stop_at = value

    @property
    def marker(self) -> int:
        """What the firmware last wrote to its marker register: 1 during an inference, 2 where it goes on
        with one."""
        return int(self._state.marker)

    @property
    def marked(self) -> int:
        """How often the firmware wrote 1 to its marker register."""
        return int(self._state.marked)

    @property
    def parts(self) -> int:
        """How often it wrote 1 or 2 there."""
        return int(self._state.parts)

    def take_stop(self) -> Stop:
        """Why the engine was stopped since the last call; does what must be done before it goes on."""
        reasons = Stop(self._state.stop_reasons)
        self._state.stop_reasons = 0
        self._state.polls = 0
        if Stop.TABLE in reasons:
            self._grow()
        return reasons

    def feed(self, data: bytes) -> None:
        """Bytes for the firmware to receive, after those that wait already."""
        left = self._input.raw[self._state.input_next : self._state.input_size]
        self._input = ctypes.create_string_buffer(left + data, len(left) + len(data))
        self._state.input = ctypes.addressof(self._input)
        self._state.input_next = 0
        self._state.input_size = len(left) + len(data)

    def drop_input(self) -> None:
        """Forgets the bytes that the firmware has not taken yet."""
        self._state.input_next = self._state.input_size

    def forget(self) -> None:
        """Forgets the blocks counted so far: the code has changed. Only between two runs."""
        self._table[:] = 0
        self._state.used = 0
        self._state.current = None

    def take_output(self) -> bytes:
        """What the firmware sent since the last call."""
        data = ctypes.string_at(self._state.output, self._state.output_size)
        self._state.output_size = 0
        return data

    def split(self, pc: int, size: int) -> int:
        """The running block was left before the instruction at ``pc`` of ``size`` bytes, which the caller
        carries out. Counts what ran, that instruction included; returns how many ran before it."""
        if (self._state.used + 1) * 4 > self._state.capacity * 3:
            self._grow()
        return int(self._library.ts_monitor_split(ctypes.byref(self._state), self._uc._uch, pc, size))

    def snapshot(self) -> Any:
        """The counts as they stand, cheap to take; what it is only the monitor knows."""
        return self._table[self._table["count"] != 0]

    def blocks(self, snapshot: Any = None) -> list[Block]:
        """The counts of a snapshot (None: those so far), in no order."""
        used = self.snapshot() if snapshot is None else snapshot
        return [
            Block(int(key) >> 16, int(key) & 0xFFFF, int(instructions), int(count))
            for key, count, instructions in used
        ]

    def _grow(self) -> None:
        # The entry that is running moves too: find it again by its key.
        current = self._state.current
        key = ctypes.c_uint64.from_address(current).value if current else 0
        table = np.zeros(2 * len(self._table), BLOCK)
        self._library.ts_monitor_grow(ctypes.byref(self._state), table.ctypes.data, len(table))
        if key:
            index = int(np.flatnonzero(table["key"] == key)[0])
            self._state.current = table.ctypes.data + index * BLOCK.itemsize
        self._table = table

    def _hook(self) -> None:
        handle = binding.uc_hook_h()
        function = ctypes.cast(self._library.ts_monitor_block, ctypes.c_void_p)
        user = ctypes.byref(self._state)
        _check(
            binding.uclib.uc_hook_add(
                self._uc._uch, ctypes.byref(handle), unicorn.UC_HOOK_BLOCK, function, user,
                ctypes.c_uint64(1), ctypes.c_uint64(0),
            )
        )  # fmt: skip

    def _map_registers(self, core: Core) -> None:
        assert core.registers is not None
        if core.port == "riscv":
            self._map(core.registers.uart, PAGE_BYTES * 4, "ns16550_read", "ns16550_write")
            return
        self._map(core.registers.uart, PAGE_BYTES, "cmsdk_read", "cmsdk_write")
        self._map(core.registers.marker, PAGE_BYTES, "marker_read", "marker_write")
        clock_page = CYCCNT & -PAGE_BYTES
        self._map(0xE0000000, clock_page - 0xE0000000, "zero_read", "ignore_write")
        rest = clock_page + PAGE_BYTES
        self._map(rest, 0xE0100000 - rest, "zero_read", "ignore_write")

    def _map(self, address: int, size: int, read: str, write: str) -> None:
        user = ctypes.byref(self._state)
        functions = (
            ctypes.cast(self._library[f"ts_monitor_{name}"], ctypes.c_void_p) for name in (read, write)
        )
        read_function, write_function = functions
        _check(
            binding.uclib.uc_mmio_map(self._uc._uch, address, size, read_function, user, write_function, user)
        )


@cache
def _load() -> ctypes.CDLL:
    path = shared_library.built(SOURCE)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ToolError(f"{path}: cannot load the emulator's hooks: {error}", "try again") from error
    library.ts_monitor_split.restype = ctypes.c_uint64
    library.ts_monitor_split.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)
    library.ts_monitor_grow.restype = None
    library.ts_monitor_grow.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)
    return library


def _check(status: int) -> None:
    if status != unicorn.UC_ERR_OK:
        raise unicorn.UcError(status)
