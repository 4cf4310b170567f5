# SPDX-License-Identifier: Apache-2.0
"""A device with slots: a board on a port, or the twin of a firmware in a directory, which keeps its flash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve import boards
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, FileSystemError, UsageError
from tinyserve.extras import missing_package
from tinyserve.firmware.render import BAUD, ELF_FILE
from tinyserve.locks import alone
from tinyserve.slots.firmware import device_facts
from tinyserve.slots.layout import layout_of

if TYPE_CHECKING:
    from tinyserve.devices.emulators.updatable import UpdatableDevice

KEPT_FILE = "twin.bin"
_PATIENCE_S = 2.0


@contextmanager
def connect(
    port: str | None, twin: Path | None, board: str | None = None, baud: int = BAUD
) -> Iterator[SmpDevice]:
    """Opens one of both; ``board`` names the board at the port ("auto": finds the port).

    Raises UsageError unless exactly one is named, DeviceError, FileSystemError.
    """
    if (port is None) == (twin is None):
        raise UsageError(
            "name the device: a board's port or a twin",
            "--port /dev/ttyACM0, or --emulate DIR with the directory of tinyserve build --slots",
        )
    if twin is not None:
        with held(twin), open_twin(twin) as device:
            yield SmpDevice(SmpClient(device.link))
        return
    assert port is not None
    try:
        from tinyserve.devices.serial import SerialLink, find_port
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    if board is None:
        raise UsageError(f"--port {port}: which board is it?", "add --board NAME")
    chosen = boards.load(board)
    link = SerialLink(find_port(chosen) if port == "auto" else port, chosen, baud)
    try:
        yield SmpDevice(SmpClient(link))
    finally:
        link.close()


@contextmanager
def held(twin: Path) -> Iterator[None]:
    """Keeps a twin's directory to this process: its flash is a file. Raises DeviceError soon where another
    has it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(twin, wait_s=_PATIENCE_S))
        except FileSystemError as error:
            raise DeviceError(
                f"another tinyserve runs the twin in {twin}",
                "end it, or reach the pseudo-terminal that it serves: --port /dev/pts/N --board NAME",
            ) from error
        yield


@contextmanager
def open_twin(directory: Path, keep: bool = True) -> Iterator[UpdatableDevice]:
    """Starts the firmware in ``directory`` with what its flash, and sleep, has left it."""
    facts = device_facts(directory)
    board = boards.load(facts.board)
    layout = layout_of(board)
    try:
        from tinyserve.devices.emulators.controller import WritableFlash
        from tinyserve.devices.emulators.updatable import UpdatableDevice
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    flash = WritableFlash(layout.first, layout.end, layout.sector_bytes)
    kept = directory / KEPT_FILE if keep else None
    device = UpdatableDevice(Symbols(directory / ELF_FILE), board, flash, kept)
    try:
        yield device
    finally:
        device.close()
