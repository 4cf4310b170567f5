# SPDX-License-Identifier: Apache-2.0
"""Puts a rendered project on its board: build, upload, and the proof that its firmware answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from tinyserve.boards import all_boards
from tinyserve.boards.types import Board
from tinyserve.devices.client import Client
from tinyserve.devices.client.answers import DeviceInfo
from tinyserve.devices.link import LinkClosed
from tinyserve.devices.ports import ListPorts, is_url
from tinyserve.devices.serial import (
    APPEAR_TIMEOUT_S,
    SerialDevice,
    await_port,
    find_port,
    touch_1200,
)
from tinyserve.errors import DeviceError, ToolError
from tinyserve.firmware.platformio import failures
from tinyserve.firmware.platformio.pio import BUILD_TIMEOUT_S, UPLOAD_TIMEOUT_S, Pio
from tinyserve.firmware.render import Project
from tinyserve.progress import Progress, silent

AUTO = "auto"
NO_PORT = "none"
RECONNECTS = 3
_SELF_CHECK = ("m-ready", "model ", "inference: ")


@dataclass(frozen=True)
class Flashed:
    """A board that runs the firmware: its port and what it says of itself."""

    port: str
    info: DeviceInfo


def flash(
    project: Project,
    pio: Pio,
    port: str = AUTO,
    progress: Progress = silent,
    *,
    ports: ListPorts = list_ports.comports,
    appear_timeout_s: float = APPEAR_TIMEOUT_S,
) -> Flashed:
    """Builds the project, uploads it, waits for ``m-ready``, and checks that it is this board and model.

    ``port``: a serial port, "auto" for the one with the board's USB ids, or "none" where the board shows none
    before it has firmware (PlatformIO's uploader finds it then). Raises ToolError, FitError for a firmware
    that is too large, and DeviceError, which says what state the board is in.
    """
    board = project.board
    before = upload_port(board, port, ports)
    progress("building with PlatformIO")
    done = pio.run("run", directory=project.directory, timeout_s=BUILD_TIMEOUT_S)
    too_large = failures.overflow(done.output, project)
    if done.status or too_large:
        raise too_large or failures.build_error(done.output, project)
    progress("uploading")
    _upload(project, pio, before, ports)
    progress("waiting for m-ready")
    named = port if port not in (AUTO, NO_PORT) else None
    for _ in range(RECONNECTS):
        after = _port_after(board, named, ports, appear_timeout_s)
        try:
            return Flashed(after, _identify(project, after))
        except DeviceError as error:
            gone = isinstance(error, LinkClosed) or not any(seen.device == after for seen in ports())
            if named or not gone:
                raise
    # The old port may be listed a moment longer than it lives; not this often.
    raise DeviceError(
        f"{board.id}: its port comes and goes: the firmware seems to restart again and again",
        f"look with `tinyserve monitor --board {board.id}`; a supply that is too weak does this too",
    )


def run_on_emulator(project: Project, pio: Pio, progress: Progress = silent) -> list[str]:
    """Builds a twin's project and "uploads" it: the lines of its self-check.

    Raises FitError, ToolError, and DeviceError where the twin does not pass.
    """
    progress("building with PlatformIO")
    done = pio.run("run", directory=project.directory, timeout_s=BUILD_TIMEOUT_S)
    if done.status:
        raise failures.build_error(done.output, project)
    progress("starting the twin")
    done = pio.run("run", "-t", "upload", directory=project.directory, timeout_s=UPLOAD_TIMEOUT_S)
    lines = done.output.splitlines()
    if done.status:
        said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        raise DeviceError(
            said[0] if said else f"{project.board.id}: the twin did not start",
            f"pio run -d {project.directory} -t upload shows all of it",
        )
    return [line for line in lines if any(word in line for word in _SELF_CHECK)]


def upload_port(board: Board, port: str, ports: ListPorts = list_ports.comports) -> str | None:
    """The port to upload to; a board that waits in its bootloader is taken too.

    Raises DeviceError for no board, several, and a named port that belongs to another board.
    """
    if port == NO_PORT:
        return None
    if port != AUTO:
        _refuse_other_board(board, port, ports)
        return port
    try:
        return find_port(board, ports)
    except DeviceError as absent:
        if any(usb.role == "bootloader" for usb in board.usb):
            try:
                return find_port(board, ports, role="bootloader")
            except DeviceError:
                pass
        raise DeviceError(
            absent.message, f"{absent.hint}; a new board that shows no port yet: --port none"
        ) from absent


def _port_after(board: Board, named: str | None, ports: ListPorts, timeout_s: float) -> str:
    """The board's port after the upload. A named one may come back under another name, or not be listed at
    all (a pty, a pyserial URL)."""
    if named is None:
        return await_port(board, timeout_s=timeout_s, ports=ports)
    if is_url(named) or Path(named).exists():
        return named
    try:
        return await_port(board, timeout_s=timeout_s, ports=ports)
    except DeviceError as error:
        raise DeviceError(
            f"{named} did not come back after the upload; {error.message}", error.hint
        ) from error


def _refuse_other_board(board: Board, port: str, ports: ListPorts) -> None:
    for seen in ports():
        ids = (seen.vid, seen.pid)
        if seen.device != port or not board.usb or ids in _ids(board):
            continue
        owners = [other.id for other in all_boards() if ids in _ids(other)]
        if owners:
            raise DeviceError(
                f"{port} is no {board.id}: its USB id {seen.vid:04x}:{seen.pid:04x} is that of"
                f" {', '.join(owners)}",
                f"--board {owners[0]}, or --port auto to find the {board.id}",
            )


def _ids(board: Board) -> set[tuple[int | None, int | None]]:
    return {(usb.vid, usb.pid) for usb in board.usb}


def _upload(project: Project, pio: Pio, port: str | None, ports: ListPorts) -> None:
    """PlatformIO knows each board's way into the bootloader; where it fails, ours is tried once."""
    output = _upload_once(project, pio, port)
    if output is None:
        return
    board = project.board
    if port and board.touch_1200 and failures.is_missing_bootloader(output):
        port = _enter_bootloader(board, port, ports) or port
        output = _upload_once(project, pio, port)
        if output is None:
            return
    raise failures.upload_error(output, board, port)


def _upload_once(project: Project, pio: Pio, port: str | None) -> str | None:
    """None where it went well, else what PlatformIO said."""
    where = ["--upload-port", port] if port else []
    try:
        done = pio.run("run", "-t", "upload", *where, directory=project.directory, timeout_s=UPLOAD_TIMEOUT_S)
    except ToolError as error:
        raise DeviceError(
            f"{project.board.id}: the upload did not end: {error.message}; the board may hold an incomplete"
            " firmware",
            "disconnect and connect the board, then run the command again",
        ) from error
    return done.output if done.status else None


def _enter_bootloader(board: Board, port: str, ports: ListPorts) -> str | None:
    """The bootloader's port after a touch at 1200 baud, None where it does not show one."""
    try:
        touch_1200(port, board)
        if any(usb.role == "bootloader" for usb in board.usb):
            return await_port(board, "bootloader", ports=ports, timeout_s=APPEAR_TIMEOUT_S / 3)
    except DeviceError:
        pass
    return None


def _identify(project: Project, port: str) -> DeviceInfo:
    """What runs at ``port`` now. Raises DeviceError where it is silent, another board, or another model."""
    board = project.board
    device = SerialDevice(port, board, baud=project.baud)
    try:
        client = Client(device.link)
        try:
            client.connect()
        except LinkClosed:
            raise
        except DeviceError as error:
            raise DeviceError(
                f"{board.id} at {port}: uploaded, but the firmware never said m-ready: {error.message}",
                f"press the board's reset button and look with `tinyserve monitor --port {port}`; where it"
                " stays silent, check that --board names this very board",
            ) from error
        client.expect_model(project.model.sha256)
        client.expect_board(board.id)
        return client.identify()
    finally:
        device.close()
