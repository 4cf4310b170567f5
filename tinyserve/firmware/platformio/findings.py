# SPDX-License-Identifier: Apache-2.0
"""What a real board needs beyond Python packages: PlatformIO's packages, a port, and the right to open it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from serial.tools import list_ports

from tinyserve import platforms
from tinyserve.boards.types import Board
from tinyserve.devices.ports import ListPorts
from tinyserve.devices.serial import find_port
from tinyserve.errors import DeviceError, ToolError
from tinyserve.firmware.finding import Finding
from tinyserve.firmware.platformio import environment

RULES_DIRECTORIES = (Path("/etc/udev/rules.d"), Path("/lib/udev/rules.d"), Path("/usr/lib/udev/rules.d"))


def board_findings(board: Board, ports: ListPorts = list_ports.comports) -> Iterator[Finding]:
    """Findings on a board that PlatformIO builds for; none on others."""
    if board.platformio is None:
        return
    yield from _packages(board)
    yield from _port(board, ports)
    if platforms.here().has_udev and board.usb:
        rule = udev_rule_file(board)
        remedy = f"tinyserve setup --board {board.id} prints it"
        yield Finding("udev rule", "lets every user open the board's port", rule, remedy, False)


def udev_rule_file(board: Board, directories: tuple[Path, ...] = RULES_DIRECTORIES) -> str:
    """The rules file that names the vendor of the board's port, '' if none does."""
    vendors = {f"{usb.vid:04x}" for usb in board.usb}
    for directory in directories:
        for path in sorted(directory.glob("*.rules")):
            try:
                text = path.read_text(encoding="utf-8", errors="replace").lower()
            except OSError:
                continue
            if any("idvendor" in line and any(v in line for v in vendors) for line in text.splitlines()):
                return str(path)
    return ""


def _packages(board: Board) -> Iterator[Finding]:
    purpose = f"PlatformIO builds and uploads for {board.id}"
    try:
        names = environment.lacking(board)
    except ToolError as error:
        yield Finding("PlatformIO packages", purpose, "", error.hint or error.message, True)
        return
    for name in names:
        yield Finding(name, purpose, "", f"tinyserve setup --board {board.id}", True)
    if not names:
        assert board.platformio is not None
        yield Finding("PlatformIO packages", purpose, f"platform {board.platformio.platform}", "", True)


def _port(board: Board, ports: ListPorts) -> Iterator[Finding]:
    try:
        port = find_port(board, ports)
    except DeviceError as error:
        # Not needed: a board may be connected later, and CI machines have none.
        yield Finding("serial port", f"where {board.id} is connected", "", error.hint, False)
        return
    yield Finding("serial port", f"where {board.id} is connected", port, "", False)
    if Path(port).exists():
        allowed = os.access(port, os.R_OK | os.W_OK)
        remedy = "sudo usermod -aG dialout $USER, then log in again; or the udev rule"
        yield Finding("permission", f"opens {port}", "yes" if allowed else "", remedy, True)
