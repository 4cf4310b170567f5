# SPDX-License-Identifier: Apache-2.0
"""Real boards on serial ports: finding the port, opening it for us alone, surviving what cables do."""

from __future__ import annotations

import errno
import re
import shlex
import time
from collections.abc import Iterable

import serial
from serial.tools import list_ports

from tinyserve import platforms
from tinyserve.boards.types import Board, Usb
from tinyserve.devices.device import Device
from tinyserve.devices.link import Link, LinkClosed, NoAnswer
from tinyserve.devices.ports import ListPorts, Port, checked, is_url
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, UsageError

BAUD = 115200
WRITE_TIMEOUT_S = 10.0
POLL_S = 0.1
TOUCH_BAUD = 1200
APPEAR_TIMEOUT_S = 15.0


class SerialLink(Link):
    """A serial port, locked so that a second program can't take bytes from us. ``port`` may be a URL that
    ``ports.checked`` takes.

    Raises DeviceError when it can't be opened: missing, in use, no permission; UsageError for other URLs.
    """

    is_wire = True

    def __init__(self, port: str, board: Board, baud: int = BAUD) -> None:
        super().__init__(f"{board.id} at {port}")
        self._serial = _open(port, board, baud)

    def close(self) -> None:
        super().close()
        self._serial.close()

    def set_baud(self, baud: int) -> None:
        """Raises DeviceError where this port has no such rate."""
        try:
            self._serial.flush()
            self._serial.baudrate = baud
            self._serial.reset_input_buffer()
        except (OSError, ValueError, serial.SerialException) as error:
            raise DeviceError(f"{self.name}: no {baud:,} bit/s: {error}", "take another --baud") from error
        self.discard_input()

    def _send(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as error:
            raise NoAnswer(self.describe(f"it took no bytes for {WRITE_TIMEOUT_S:g} s")) from error
        except OSError as error:
            raise self._vanished() from error

    def _receive(self, timeout_s: float) -> bytes:
        try:
            waiting = self._serial.in_waiting
            return bytes(self._serial.read(max(1, waiting)))
        except (OSError, TypeError) as error:  # pyserial: TypeError when closed under our feet
            raise self._vanished() from error

    def _vanished(self) -> LinkClosed:
        return LinkClosed(
            self.describe("the device vanished"), "check the cable and power, then run the command again"
        )


class SerialDevice(Device):
    """A real board. Opening its port may reset it. What a tick is only its firmware knows."""

    def __init__(self, port: str, board: Board, symbols: Symbols | None = None, baud: int = BAUD) -> None:
        super().__init__(SerialLink(port, board, baud), f"{board.name} at {port}", None, symbols)

    def close(self) -> None:
        self.link.close()


def require_port(board: Board, port: str) -> str:
    """The name of ``port`` ("auto": of the board's own), or its URL. Nothing is opened.

    Raises DeviceError where it is not there or no serial port, and UsageError for an empty name or a URL
    that leads to no board.
    """
    if port == "auto":
        return find_port(board)
    if not port.strip():
        raise UsageError("--port is empty", "name the port, or pass --port auto")
    if is_url(port):
        return checked(port)
    error = platforms.here().port_error(port)
    if error is not None:
        raise _cannot_open(port, board, error)
    return port


def find_port(board: Board, ports: ListPorts = list_ports.comports, role: str = "application") -> str:
    """The port that shows the board's USB ids.

    Raises DeviceError naming the ports when there is none or several, and for a board whose serial line has
    no USB id of its own: a port that merely exists may be anything.
    """
    seen = list(ports())
    ids = [usb for usb in board.usb if usb.role == role]
    if not ids:
        raise DeviceError(
            f"{board.id}: its serial line has no USB id to find it by;"
            f" ports seen: {_describe(seen) or 'none'}",
            f"name the port: --port {seen[0].device if len(seen) == 1 else 'PORT'}",
        )
    matches = [port for port in seen if _has_id(port, ids)]
    if len(matches) == 1:
        return matches[0].device
    if matches:
        one = len({port.serial_number for port in matches}) == 1 and bool(matches[0].serial_number)
        ports_seen = f"{len(matches)} ports of one device" if one else f"{len(matches)} ports"
        raise DeviceError(
            f"{board.id}: {ports_seen} could be it: {_describe(matches)}",
            f"choose one: --port {matches[0].device}"
            + ("; `tinyserve monitor` shows which of them speaks" if one else ""),
        )
    wanted = ", ".join(f"{usb.vid:04x}:{usb.pid:04x}" for usb in ids)
    raise DeviceError(
        f"{board.id}: no port shows its USB id ({wanted}); ports seen: {_describe(seen) or 'none'}",
        _silent_connector(board, seen) or "connect the board with a data cable, or name its port with --port",
    )


def find_serial_number(number: str, ports: ListPorts = list_ports.comports) -> str:
    """The port of the USB device with that serial number, wherever it is plugged in.

    Raises DeviceError naming the ports when there is none or several (a board may have more than one).
    """
    seen = list(ports())
    matches = [port.device for port in seen if port.serial_number == number]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise DeviceError(
            f"{len(matches)} ports are of the USB device {number}: {', '.join(matches)}", "name one of them"
        )
    raise DeviceError(
        f"no USB device has the serial number {number}; ports seen: {_describe(seen) or 'none'}",
        "connect it with a data cable",
    )


def only_port(ports: ListPorts = list_ports.comports) -> str:
    """The one port with a USB id, whatever is on it: for looking, never for uploading.

    Raises DeviceError when there is none or several.
    """
    seen = [port for port in ports() if port.vid is not None]
    if len(seen) == 1:
        return seen[0].device
    raise DeviceError(
        f"{len(seen)} ports show a USB id" + (f": {_describe(seen)}" if seen else ""),
        f"choose one: --port {seen[0].device}"
        if seen
        else "connect a board with a data cable, or pass --port",
    )


def _silent_connector(board: Board, seen: list[Port]) -> str:
    """What to say where the board is connected by the connector that its firmware does not speak on."""
    silent = [usb for usb in board.usb if usb.role == "silent"]
    found = [port for port in seen if _has_id(port, silent)]
    if not found:
        return ""
    return f"{found[0].device} is the board's native port, which stays silent: use its other USB connector"


def touch_1200(port: str, board: Board) -> None:
    """Opens and closes the port at 1200 baud with DTR low, which makes boards with native USB enter their
    bootloader."""
    touched = _open(port, board, TOUCH_BAUD)
    try:
        touched.dtr = False
    except OSError:
        pass  # it is gone already: that is what we want
    finally:
        touched.close()


def await_port(
    board: Board,
    role: str = "application",
    timeout_s: float = APPEAR_TIMEOUT_S,
    ports: ListPorts = list_ports.comports,
) -> str:
    """The board's port once it has enumerated (again), as after an upload or a touch.

    Raises DeviceError when it does not appear, or is ambiguous, within ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return find_port(board, ports, role)
        except DeviceError as error:
            if time.monotonic() >= deadline:
                raise DeviceError(
                    f"{error.message} (waited {timeout_s:g} s)", "press the board's reset button"
                ) from error
        time.sleep(POLL_S)


def await_gone(
    port: str, timeout_s: float = APPEAR_TIMEOUT_S, ports: ListPorts = list_ports.comports
) -> bool:
    """True once ``port`` is no longer listed; False if it still is after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while any(seen.device == port for seen in ports()):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def udev_rule(board: Board) -> str:
    """The udev rules that let the user at the machine open the board's ports and its debug probe or
    bootloader."""
    return "\n".join(
        f'SUBSYSTEMS=="usb", ATTRS{{idVendor}}=="{usb.vid:04x}", ATTRS{{idProduct}}=="{usb.pid:04x}",'
        ' MODE="0660", GROUP="dialout", TAG+="uaccess"'
        for usb in board.usb
    )


def _open(port: str, board: Board, baud: int) -> serial.SerialBase:
    name = checked(port) if is_url(port) else port
    lock = {} if is_url(name) else {"exclusive": True}
    try:
        return serial.serial_for_url(
            name, baudrate=baud, timeout=POLL_S, write_timeout=WRITE_TIMEOUT_S, **lock
        )
    except (OSError, ValueError) as error:
        raise _cannot_open(port, board, error) from error


def _cannot_open(port: str, board: Board, error: Exception) -> DeviceError:
    code = _error_number(error)
    what = f"{board.id}: cannot open {port}"
    if code in (errno.EISDIR, errno.ENOTTY) or "Could not configure port" in str(error):
        return DeviceError(f"{what}: it is no serial port", "pass --port auto")
    if code == errno.EACCES and not platforms.here().denies_open_ports:
        return DeviceError(f"{what}: no permission", _permission_hint(port, board))
    if code in (errno.EBUSY, errno.EAGAIN, errno.EACCES) or "exclusively lock" in str(error):
        return DeviceError(
            f"{what}: another program has it open", "close serial monitors and other tinyserve commands"
        )
    if code == errno.ENOENT:
        ports = _describe(list_ports.comports()) or "none"
        return DeviceError(f"{what}: there is no such port; ports seen: {ports}", "pass --port auto")
    return DeviceError(f"{what}: {error}", "pass --port auto, or another port")


def _permission_hint(port: str, board: Board) -> str:
    if not platforms.here().has_udev:
        return f"ls -l {shlex.quote(port)} shows who may open it"
    hint = "sudo usermod -aG dialout $USER, then log in again"
    rule = udev_rule(board)
    if rule:
        hint += f"; or put this into /etc/udev/rules.d/99-tinyserve.rules:\n{rule}"
    return hint


def _error_number(error: Exception) -> int | None:
    """Of an error of pyserial's, which on Windows only has the system's in its text."""
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return number
    quoted = re.search(r"(?:PermissionError|FileNotFoundError|OSError)\((\d+),", str(error))
    return int(quoted[1]) if quoted else None


def _has_id(port: Port, ids: list[Usb]) -> bool:
    return any((port.vid, port.pid) == (usb.vid, usb.pid) for usb in ids)


def _describe(ports: Iterable[Port]) -> str:
    return ", ".join(_describe_one(port) for port in ports)


def _describe_one(port: Port) -> str:
    if port.vid is None or port.pid is None:
        return port.device
    number = f", serial number {port.serial_number}" if port.serial_number else ""
    return f"{port.device} ({port.vid:04x}:{port.pid:04x}{number})"
