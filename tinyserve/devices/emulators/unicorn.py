# SPDX-License-Identifier: Apache-2.0
"""Boards in Unicorn: the board's core and memory, its UART as a link, and exact instruction counts.

The emulator runs when bytes are expected and pauses when the firmware waits for some, so there are no threads
and the same input gives the same counts. Unicorn has no interrupts and no HardFault: a bad access ends the
run and is reported as the crash that it is. What it does not notice, and QEMU does: an FPU that was not
switched on, and unaligned LDRD, LDM and VLDR on cores that load single words unaligned.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from dataclasses import dataclass, replace

import unicorn
from unicorn import arm_const, riscv_const

from tinyserve.boards.types import Board, Memory, Region
from tinyserve.devices.device import Device
from tinyserve.devices.emulators.crash import Access, Crash, explain
from tinyserve.devices.emulators.monitor import CYCCNT, Block, Monitor, Stop
from tinyserve.devices.emulators.transfers import advance_it_state, decode
from tinyserve.devices.link import Link, LinkClosed, NoAnswer
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, ToolError, UsageError

SLICE_INSTRUCTIONS = 4_000_000
"""Between two slices Python looks at the clock and takes Ctrl-C: some 20 ms."""
BUDGET_INSTRUCTIONS = 50_000_000_000
"""What a firmware may execute without sending a byte before it counts as hanging."""
RAM_FILL = b"\xa5"
"""Real RAM holds anything after power-up; zeros would hide reads of what was never written."""
_NEVER = 0xFFFFFFFE
_MEASURING = frozenset(
    {"command_ts_infer", "row_feed_byte", "row_feed_invoke", "port_ticks", "mapped_counter"}
)
"""The firmware's own functions that run between its two clock reads, around the model's invoke."""


BlockKey = tuple[int, int]
"""A block's address and bytes."""


@dataclass(frozen=True)
class Window:
    """Counts at the first and last clock read while the firmware's marker was set: around one inference, or
    a part of one. ``number`` counts the inferences that were marked, ``part`` their parts. ``earlier``: how
    often each block ran in this inference's parts before."""

    number: int
    part: int
    first: object
    last: object
    earlier: Counter[BlockKey]


class Machine:
    """A core with memory and registers, at reset. One engine per machine; machines don't share anything."""

    def __init__(self, symbols: Symbols, board: Board) -> None:
        self.symbols = symbols
        self.board = board
        self.crash: Crash | None = None
        self.window: Window | None = None
        self._riscv = board.core.port == "riscv"
        self._clock = _clock_address(board)
        self._uc = _engine(board)
        self._map_memory()
        self.monitor = Monitor(self._uc, board.core)
        self._access: Access | None = None
        self._exception: int | None = None
        self._uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_invalid_access)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._pc = self._reset()

    @property
    def pc(self) -> int:
        """Address of the next instruction, without the Thumb bit."""
        return self._pc

    def run(self, instructions: int) -> Stop:
        """Runs until the monitor stops it or ``instructions`` more were executed (to the end of a block).

        Raises LinkClosed when the firmware crashed, then and at every further call.
        """
        if self.crash:
            raise LinkClosed(str(self.crash))
        self.monitor.stop_at = self.monitor.total + instructions
        while True:
            try:
                self._uc.emu_start(self._pc | (0 if self._riscv else 1), _NEVER)
            except unicorn.UcError as error:
                self._raise_from_hook()
                self._sync_pc()
                if self._touched_clock():
                    self._carry_out_transfer()
                else:
                    self._fail(error)
                continue
            self._sync_pc()
            if self._exception is not None:
                self._fail(unicorn.UcError(unicorn.UC_ERR_EXCEPTION))
                continue
            reasons = self.monitor.take_stop()
            if reasons != Stop.TABLE:
                return reasons

    def _raise_from_hook(self) -> None:
        """A signal that came while one of our hooks ran (Ctrl-C, SIGTERM): Unicorn keeps what the hook
        raised, and reports only the access that the hook was called for."""
        raised: BaseException | None = self._uc._hook_exception
        if raised is not None:
            raise raised

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of the machine's memory. Raises DeviceError where there is none."""
        try:
            return bytes(self._uc.mem_read(address, size))
        except unicorn.UcError as error:
            raise DeviceError(f"{self.board.id}: no memory at {address:#010x}") from error

    def blocks(self) -> list[Block]:
        """Counts per basic block since reset."""
        return self.monitor.blocks()

    def inference_blocks(self) -> list[Block]:
        """Counts per basic block of the last marked inference, clock read to clock read; [] without one."""
        if self.window is None:
            return []
        times = self._ran(self.window)
        last = self.monitor.blocks(self.window.last)
        return [replace(b, count=times[b.address, b.bytes]) for b in last if times[b.address, b.bytes]]

    def _ran(self, window: Window) -> Counter[BlockKey]:
        """How often each block ran in a window and in the parts before it."""
        times = Counter({(b.address, b.bytes): b.count for b in self.monitor.blocks(window.last)})
        times.subtract({(b.address, b.bytes): b.count for b in self.monitor.blocks(window.first)})
        times.update(window.earlier)
        return times

    def _map_memory(self) -> None:
        board = self.board
        if board.flash is None or board.ram is None:
            raise UsageError(
                f"{board.id}: the board file gives no flash and RAM to emulate", "name another board"
            )
        executable = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        self._map(board.flash, executable)
        if board.vectors and not _holds(board.flash, board.vectors.origin):
            self._map(board.vectors, executable)
        self._map(board.ram, unicorn.UC_PROT_ALL)
        self._uc.mem_write(board.ram.origin, RAM_FILL * board.ram.bytes)
        for memory in board.memory:
            if "arena" in memory.holds:
                self._map(memory, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
            elif "weights" in memory.holds:
                self._map(memory, unicorn.UC_PROT_READ)
        for segment in self.symbols.segments:
            try:
                self._uc.mem_write(segment.address, segment.data)
            except unicorn.UcError as error:
                raise ToolError(
                    f"{self.symbols.path}: {len(segment.data)} bytes at {segment.address:#010x} lie outside"
                    f" the memory of {board.id}",
                    f"build the firmware for --board {board.id}",
                ) from error

    def _map(self, region: Region | Memory, permissions: int) -> None:
        page = self._uc.ctl_get_page_size()
        start = region.origin & -page
        end = (region.origin + region.bytes + page - 1) & -page
        self._uc.mem_map(start, end - start, permissions)

    def _reset(self) -> int:
        if self._riscv:
            return self.symbols.entry
        vectors = self.board.vectors or self.board.flash
        assert vectors is not None
        stack, entry = struct.unpack("<II", self._uc.mem_read(vectors.origin, 8))
        self._uc.reg_write(arm_const.UC_ARM_REG_SP, stack)
        return int(entry) & ~1

    def _sync_pc(self) -> None:
        register = riscv_const.UC_RISCV_REG_PC if self._riscv else arm_const.UC_ARM_REG_PC
        self._pc = int(self._uc.reg_read(register)) & ~1

    def _on_invalid_access(  # noqa: PLR0917
        self, uc: unicorn.Uc, kind: int, address: int, size: int, value: int, user: object
    ) -> bool:
        self._access = Access(kind, address, size)
        return False

    def _on_exception(self, uc: unicorn.Uc, number: int, user: object) -> None:
        self._exception = number
        uc.emu_stop()

    def _touched_clock(self) -> bool:
        """The engine stopped right before an instruction that reads or writes the clock's page.

        The page is unmapped for that: only so is the place within a block known. (Page permissions don't do:
        the engine checks them on its slow path alone.)"""
        access = self._access
        kinds = (unicorn.UC_MEM_READ_UNMAPPED, unicorn.UC_MEM_WRITE_UNMAPPED)
        return access is not None and access.kind in kinds and self._clock & -0x400 == access.address & -0x400

    def _carry_out_transfer(self) -> None:
        """Does what the load or store at ``pc`` would, and goes on behind it. Stores have no effect."""
        assert self._access is not None
        transfer = decode(self.read_memory(self._pc, 4), self._riscv)
        if transfer is None:
            raise DeviceError(
                f"{self.board.id}: the clock is read by an instruction that the emulator does not know,"
                f" in {self.symbols.place(self._pc)}",
                "read it with a plain 32-bit volatile load",
            )
        before = self.monitor.split(self._pc, transfer.bytes)
        self._pc += transfer.bytes
        if transfer.is_load and not (self._riscv and transfer.register == 0):
            self._uc.reg_write(self._first_register + transfer.register, self._clock_value(before))
        if not self._riscv:
            cpsr = int(self._uc.reg_read(arm_const.UC_ARM_REG_CPSR))
            self._uc.reg_write(arm_const.UC_ARM_REG_CPSR, advance_it_state(cpsr))
        if transfer.is_load:
            self._keep_window()
        self._access = None

    @property
    def _first_register(self) -> int:
        return int(riscv_const.UC_RISCV_REG_X0 if self._riscv else arm_const.UC_ARM_REG_R0)

    def _clock_value(self, instructions: int) -> int:
        """What the clock's page holds at the address accessed: the count's low word, on RV32 its high one."""
        assert self._access is not None
        offset = self._access.address - self._clock
        if offset == 0:
            return instructions & 0xFFFFFFFF
        return instructions >> 32 if offset == 4 and self._riscv else 0

    def _keep_window(self) -> None:
        if self.monitor.marker not in (1, 2):
            return
        number, part, now = self.monitor.marked, self.monitor.parts, self.monitor.snapshot()
        if self.window is None or self.window.number != number:
            self.window = Window(number, part, now, now, Counter())
        elif self.window.part != part:
            self.window = Window(number, part, now, now, self._ran(self.window))
        else:
            self.window = replace(self.window, last=now)

    def _fail(self, error: unicorn.UcError) -> None:
        self.crash = explain(
            error,
            self._pc,
            access=self._access,
            exception=self._exception,
            uc=self._uc,
            symbols=self.symbols,
            board=self.board,
        )
        raise LinkClosed(str(self.crash)) from error


class UnicornLink(Link):
    """The machine's UART. Reading runs the machine; writing only queues bytes."""

    def __init__(self, machine: Machine, budget: int = BUDGET_INSTRUCTIONS) -> None:
        super().__init__(f"{machine.board.id} in Unicorn")
        self.machine = machine
        self.budget = budget

    def whereabouts(self) -> str:
        crash = self.machine.crash
        return str(crash) if crash else f"running {self.machine.symbols.place(self.machine.pc)}"

    def _send(self, data: bytes) -> None:
        self.machine.monitor.feed(data)

    def _receive(self, timeout_s: float) -> bytes:
        """Runs until the firmware sent a line. It ends sooner with NoAnswer where the firmware waits for
        input (it would wait forever) or has used up its budget of instructions."""
        deadline = time.monotonic() + timeout_s
        monitor = self.machine.monitor
        last = monitor.total + self.budget
        while True:
            try:
                reasons = self.machine.run(min(SLICE_INSTRUCTIONS, last - monitor.total))
            except LinkClosed as error:
                output = monitor.take_output()
                if output:
                    return output  # what it said before it crashed first; the next call raises
                raise LinkClosed(f"{self.name}: {error.message}{self._heard()}", error.hint) from error
            output = monitor.take_output()
            if output:
                return output
            if Stop.WAITING in reasons:
                raise NoAnswer(self.describe("the firmware waits for a command and sent no answer"))
            if monitor.total >= last:
                raise NoAnswer(self.describe(f"hung: no answer in {self.budget:,} instructions"))
            if time.monotonic() >= deadline:
                return b""

    def _heard(self) -> str:
        last = self.transcript.last_received()
        return f"; received last: {last!r}" if last else "; nothing was ever received"


class UnicornDevice(Device):
    """A board in Unicorn."""

    link: UnicornLink

    def __init__(self, symbols: Symbols, board: Board, budget: int = BUDGET_INSTRUCTIONS) -> None:
        self.machine = Machine(symbols, board)
        version = ".".join(str(part) for part in unicorn.uc_version()[:2])
        super().__init__(
            UnicornLink(self.machine, budget),
            f"{board.id} emulated by Unicorn {version} ({board.core.name})",
            "instructions",
            symbols,
        )

    def function_counts(self) -> dict[str, int]:
        """Of everything since reset where no inference was marked."""
        blocks = self.machine.inference_blocks() or self.machine.blocks()
        counts = self.machine.symbols.function_counts((b.address, b.executed) for b in blocks)
        return {name: count for name, count in counts.items() if name not in _MEASURING}

    def close(self) -> None:
        self.link.close()


def _engine(board: Board) -> unicorn.Uc:
    core = board.core
    if not core.unicorn_cpu or core.registers is None:
        raise UsageError(
            f"{board.id}: Unicorn does not emulate {core.name}",
            "use --emulator qemu or a real board (--port)",
        )
    if core.port == "riscv":
        uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        model = getattr(riscv_const, f"UC_CPU_RISCV32_{core.unicorn_cpu}", None)
    else:
        # Not UC_MODE_MCLASS: it silently makes every core a Cortex-M33.
        uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        model = getattr(arm_const, f"UC_CPU_ARM_{core.unicorn_cpu}", None)
    if model is None:
        raise UsageError(f'cores.toml: {core.name}: unicorn_cpu "{core.unicorn_cpu}" is not in Unicorn')
    uc.ctl_set_cpu_model(model)
    return uc


def _clock_address(board: Board) -> int:
    if board.core.port == "riscv" and board.core.registers:
        return board.core.registers.timer
    return CYCCNT


def _holds(region: Region, address: int) -> bool:
    return region.origin <= address < region.origin + region.bytes
