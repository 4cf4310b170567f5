# SPDX-License-Identifier: Apache-2.0
"""Devices: real boards on serial ports, and boards in emulators that look like one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tinyserve.boards.types import Board, Emulator
from tinyserve.errors import UsageError
from tinyserve.extras import missing_package

if TYPE_CHECKING:
    from tinyserve.devices.device import Device

__all__ = ["HasElf", "open_device", "select_emulator"]


class HasElf(Protocol):
    """What a device needs of a built firmware (firmware.build.Firmware)."""

    @property
    def elf(self) -> Path: ...


@contextmanager
def open_device(
    firmware: HasElf | None,
    board: Board,
    emulator: str | None = None,
    port: str | None = None,
    counted: str | None = None,
    *,
    baud: int | None = None,
) -> Iterator[Device]:
    """Starts ``firmware`` in an emulator or opens the real board that runs it already; ends it on exit.

    ``port`` names a serial port (or pyserial URL), "auto" finds the board's. Without it the board is
    emulated, by ``emulator`` ("unicorn", "qemu", "renode", "host"; default: the board's first).
    ``firmware`` may be None only for a real board, and serves to name functions there. ``counted`` is the
    model's invoke (``ts_model_invoke``): the device is set up for ``Device.function_counts`` of it, which
    makes a program of this computer some fifty times slower. ``baud``: of the serial port, 115,200 by
    default.

    Raises UsageError for what the board can't do, ToolError when an emulator is missing, DeviceError when the
    device doesn't start.
    """
    if port is not None:
        device = _open_serial(firmware, board, port, baud)
    elif firmware is None:
        raise UsageError(f"{board.id}: an emulator needs a firmware to run", "build it first")
    else:
        device = _start(firmware.elf, board, select_emulator(board, emulator), counted)
    try:
        yield device
    finally:
        device.close()


def select_emulator(board: Board, kind: str | None = None) -> Emulator:
    """The emulator of that kind, else the board's first. Any Cortex-M or RV32 board runs in Unicorn and
    Renode as a twin.

    Raises UsageError when there is none.
    """
    for emulator in board.emulators:
        if kind in (None, emulator.kind):
            return emulator
    if kind in (None, "unicorn") and board.core.unicorn_cpu:
        return Emulator("unicorn")
    if kind == "renode" and board.core.renode_cpu:
        return Emulator("renode")
    kinds = [emulator.kind for emulator in board.emulators]
    if kind is None or not kinds:
        reason = "has its memory" if board.core.port else "runs it"
        generic = f"; or count on the generic core: --board {board.core.name}" if board.core.port else ""
        raise UsageError(
            f"{board.id}: no emulator {reason}", f"connect the board and pass --port auto{generic}"
        )
    raise UsageError(f'{board.id}: emulator "{kind}" does not run it', f"use {' or '.join(kinds)}")


def _start(elf: Path, board: Board, emulator: Emulator, counted: str | None) -> Device:
    from tinyserve.devices.symbols import Symbols

    if emulator.kind == "host":
        return _start_program(elf, board, counted)
    symbols = Symbols(elf)
    if emulator.kind == "qemu":
        from tinyserve.devices.emulators.qemu import QemuDevice

        return QemuDevice(symbols, board, emulator, counted)
    if emulator.kind == "renode":
        from tinyserve.devices.emulators.renode import RenodeDevice

        return RenodeDevice(symbols, board)
    try:
        from tinyserve.devices.emulators.unicorn import UnicornDevice
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    return UnicornDevice(symbols, board)


def _start_program(program: Path, board: Board, counted: str | None) -> Device:
    from tinyserve.devices.emulators import callgrind
    from tinyserve.devices.emulators.host import HostDevice

    valgrind = callgrind.find() if counted is not None else None
    if counted is not None and valgrind is not None:
        return callgrind.CallgrindDevice(program, board, counted, valgrind)
    return HostDevice(program, board)


def _open_serial(firmware: HasElf | None, board: Board, port: str, baud: int | None) -> Device:
    try:
        from tinyserve.devices.serial import BAUD, SerialDevice, find_port
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    from tinyserve.devices.symbols import Symbols

    symbols = Symbols(firmware.elf) if firmware else None
    return SerialDevice(find_port(board) if port == "auto" else port, board, symbols, baud or BAUD)
