# SPDX-License-Identifier: Apache-2.0
"""A device with slots: a board on a port, or the twin of a firmware in a directory, which keeps its flash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve import boards
from tinyserve.devices.link import Link
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, FileSystemError, UsageError
from tinyserve.extras import missing_package
from tinyserve.firmware.render import BAUD, ELF_FILE
from tinyserve.locks import alone
from tinyserve.progress import Progress, silent
from tinyserve.slots import keys
from tinyserve.slots.firmware import device_facts
from tinyserve.slots.layout import layout_of

if TYPE_CHECKING:
    from tinyserve.devices.emulators.updatable import UpdatableDevice

KEPT_FILE = "twin.bin"
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Target:
    """A device by one of both: the serial ``port`` of a ``board`` ("auto": finds it), or the directory of a
    ``twin``. ``baud``: the rate that is asked for; ``line_key``: the private key of a device that was built
    with --secure."""

    port: str | None = None
    twin: Path | None = None
    board: str | None = None
    baud: int = BAUD
    line_key: Path | None = None


@contextmanager
def connect(target: Target, progress: Progress = silent) -> Iterator[SmpDevice]:
    """Opens a device. At the end its line is as it was: locked, at the rate that it starts with.

    Raises UsageError unless exactly one of port and twin is named, DeviceError, FileSystemError.
    """
    key = keys.private(target.line_key) if target.line_key is not None else None
    with _opened(target) as link:
        device = SmpDevice(SmpClient(link), key.sign if key is not None else None)
        before = BAUD
        if target.baud != BAUD:
            reached = device.set_baud(target.baud)
            progress(f"the line is at {reached:,} bit/s")
            before = reached
        try:
            yield device
        finally:
            with suppress(DeviceError):
                if before != BAUD:
                    device.set_baud(BAUD)
                if key is not None:
                    device.lock()


@contextmanager
def _opened(target: Target) -> Iterator[Link]:
    port, twin = target.port, target.twin
    if port is not None and twin is not None:
        raise UsageError("--port and --emulate: a board or a twin, not both", "leave one of them out")
    if port is None and twin is None:
        raise UsageError(
            "name the device: a board's port or a twin",
            "--port /dev/ttyACM0, or --emulate DIR with the directory of tinyserve build --slots",
        )
    if twin is not None:
        with held(twin), open_twin(twin) as device:
            yield device.link
        return
    assert port is not None
    try:
        from tinyserve.devices.serial import SerialLink, require_port
    except ModuleNotFoundError as error:
        raise missing_package(error) or error from error
    if target.board is None:
        raise UsageError(f"--port {port}: which board is it?", "add --board NAME")
    chosen = boards.load(target.board)
    link = SerialLink(require_port(chosen, port), chosen)
    try:
        yield link
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
