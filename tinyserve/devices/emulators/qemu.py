# SPDX-License-Identifier: Apache-2.0
"""Boards in QEMU: a system emulator as a child process, its serial port and monitor on sockets.

With ``-icount`` the emulated time is the number of instructions, so that the firmware's timer counts them
exactly (docs/architecture.md, memory map of the emulated port).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tinyserve.boards.types import Board, Emulator
from tinyserve.devices.device import Device
from tinyserve.devices.emulators import qemu_program, qmp
from tinyserve.devices.emulators.block_counter import BlockCounter
from tinyserve.devices.emulators.qmp import Qmp
from tinyserve.devices.process import ChildProcess
from tinyserve.devices.sockets import Listener, SocketLink
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, ToolError

START_TIMEOUT_S = 20.0
ICOUNT_SHIFT = 8  # 256 ns per instruction: what the firmware's division takes for granted
_ESCAPE = b"\xff"
_SOCKET = "host=127.0.0.1,server=off,nodelay=on"
# The program counter and, where a trap led nowhere, where it came from.
_PLACES = (re.compile(r"(?:R15=|\bpc\s+)([0-9a-fA-F]{8})"), re.compile(r"\bmepc\s+([0-9a-fA-F]{8})"))


class QemuDevice(Device):
    """A board in QEMU. ``counted`` is the function within which instructions are counted.

    Raises ToolError when QEMU is missing, DeviceError when it doesn't start.
    """

    def __init__(
        self, symbols: Symbols, board: Board, emulator: Emulator, counted: str | None = None
    ) -> None:
        self._counter: BlockCounter | None = None
        self._uncounted = ToolError("QEMU was started without a function to count")
        self._qemu = self._start(symbols, board, emulator, counted)
        super().__init__(
            QemuLink(f"{board.id} in QEMU", self._qemu.serial, self._qemu),
            f"{board.id} emulated by QEMU (machine {emulator.machine}, {board.core.name})",
            "instructions",
            symbols,
        )

    def function_counts(self) -> dict[str, int]:
        if self._counter is None:
            raise self._uncounted
        assert self.symbols is not None
        return self.symbols.function_counts(self._counter.executed())

    def close(self) -> None:
        self.link.close()
        self._qemu.close()
        self._end_counter()

    def _start(self, symbols: Symbols, board: Board, emulator: Emulator, counted: str | None) -> Qemu:
        """The emulator with a counter where that is wanted and can be had: without one it runs as well."""
        if counted is not None:
            try:
                self._counter = BlockCounter(qemu_program.find(board), symbols.address(counted))
                return Qemu(symbols, board, emulator, self._counter.options)
            except (ToolError, DeviceError) as error:
                self._uncounted = ToolError(error.message, error.hint)
                self._end_counter()
        return Qemu(symbols, board, emulator)

    def _end_counter(self) -> None:
        if self._counter is not None:
            self._counter.close()
            self._counter = None


class QemuLink(SocketLink):
    """The serial port behind QEMU's multiplexer, which reads ahead of the UART: twice as fast as without.

    The multiplexer forgets bytes for a UART whose receiver is still off, so nothing is sent before the
    firmware has said something; and it has an escape character, which is sent twice to mean itself.
    """

    _held: bytes | None = b""

    def _send(self, data: bytes) -> None:
        if self._held is not None:
            self._held += data
        else:
            super()._send(data.replace(_ESCAPE, 2 * _ESCAPE))

    def _receive(self, timeout_s: float) -> bytes:
        data = super()._receive(timeout_s)
        if data and self._held is not None:
            held, self._held = self._held, None
            self._send(held)
        return data


class Qemu:
    """The running emulator: its process, serial port and monitor. ``options`` are further ones of QEMU's."""

    def __init__(
        self, symbols: Symbols, board: Board, emulator: Emulator, options: Sequence[str] = ()
    ) -> None:
        self._symbols = symbols
        program = self._program = qemu_program.find(board)
        serial, monitor = Listener(), Listener()
        try:
            command = [
                *_machine(program, board, emulator, symbols.path),
                *options,
                "-chardev", f"socket,id=monitor,port={monitor.port},{_SOCKET}",
                "-mon", "chardev=monitor,mode=control",
                "-chardev", f"socket,id=serial,port={serial.port},{_SOCKET},mux=on",
                "-echr", str(_ESCAPE[0]),
                "-serial", "chardev:serial",
            ]  # fmt: skip
            self._process = ChildProcess(command)
            try:
                self._monitor = self._greet(monitor)
                self.serial = self._connect(serial)
            except BaseException:
                self._process.close()
                raise
        finally:
            serial.close()
            monitor.close()

    def ended(self) -> str:
        """Why QEMU ended: its own first line, and the place of a lockup."""
        self._process.wait(qmp.TIMEOUT_S)
        words = self._process.words()
        lines = _without_warnings(words)
        first = lines[0] if lines else f"exit status {self._process.exit_code}"
        place = self._place(words)
        return f"QEMU ended: {first}" + (f", in {place}" if place else "")

    def where(self) -> str:
        """The function that runs now, asked of QEMU's monitor."""
        with suppress(DeviceError):
            place = self._place(self._monitor.human("info registers"))
            return f"running {place}" if place else "running what is no function of the firmware"
        return ""

    def close(self) -> None:
        self._monitor.close()
        self._process.close()

    def _greet(self, listener: Listener) -> Qmp:
        connection = self._connect(listener)
        try:
            return Qmp(connection)
        except DeviceError as error:  # it opens its sockets before it looks at all of its options
            connection.close()
            self._process.wait(qmp.TIMEOUT_S)
            raise self._did_not_start(str(error)) from error

    def _connect(self, listener: Listener) -> socket.socket:
        connection = listener.accept(START_TIMEOUT_S, lambda: self._process.exit_code is None)
        if connection is None:
            raise self._did_not_start("it said nothing")
        return connection

    def _did_not_start(self, otherwise: str) -> DeviceError:
        """In QEMU's own words, without its warnings of options that a later version may lack."""
        said = _without_warnings(self._process.words())
        return DeviceError(
            f"QEMU did not start: {' '.join(said) or otherwise}", qemu_program.advice(self._program)
        )

    def _place(self, words: str) -> str:
        addresses = [int(match[1], 16) for place in _PLACES if (match := place.search(words))]
        known = (address for address in addresses if self._symbols.function(address))
        return next((self._symbols.place(address) for address in known), "")


def _without_warnings(words: str) -> list[str]:
    return [line for line in words.splitlines() if ": warning: " not in line]


def _machine(program: str, board: Board, emulator: Emulator, elf: Path) -> list[str]:
    bios = ["-bios", "none"] if board.core.port == "riscv" else []
    return [
        program, "-M", emulator.machine, *bios, "-kernel", str(elf), "-icount", f"shift={ICOUNT_SHIFT}",
        "-display", "none", "-nodefaults",
    ]  # fmt: skip
