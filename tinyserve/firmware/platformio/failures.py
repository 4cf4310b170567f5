# SPDX-License-Identifier: Apache-2.0
"""What PlatformIO's output means when a build or an upload fails: its exit status is always 1."""

from __future__ import annotations

import re
from functools import partial

from tinyserve.boards.types import Board
from tinyserve.errors import DeviceError, FitError, ToolError
from tinyserve.firmware.footprint.demand import demand
from tinyserve.firmware.footprint.remedies import Excess, remedies
from tinyserve.firmware.render import Project

SPARE_BYTES = 1 << 12  # of a memory that did not overflow; how much really, PlatformIO does not say
SHOWN_LINES = 6
_REGION = re.compile(r"region [`'\"](\w+)['\"][ :]+overflowed by (\d+) bytes")
_TOO_LARGE = re.compile(
    r"The (program|data) size \((\d+) bytes\) is greater than maximum allowed \((\d+) bytes\)"
)
_ERROR = re.compile(r"\berror\b:|undefined reference|^\*\*\* |^Error:", re.IGNORECASE | re.MULTILINE)
_NO_PERMISSION = re.compile(r"permission denied|access (is )?denied|LIBUSB_ERROR_ACCESS", re.IGNORECASE)
_NO_BOOTLOADER = re.compile(
    r"no device found|please specify `?upload_port|couldn't find a board|unable to connect|unable to find"
    r"|no dfu capable|failed to connect|no serial data received|device not found|no drive|open failed",
    re.IGNORECASE,
)
_NOISE = ("Verbose mode", "CONFIGURATION:", "Processing ", "====", "----")


def overflow(output: str, project: Project) -> FitError | None:
    """By how much the linker, or PlatformIO's size check, found the firmware too large; None: it fits."""
    over_flash, over_ram = 0, 0
    for region, count in _REGION.findall(output):
        if "ram" in region.lower():
            over_ram = max(over_ram, int(count))
        else:
            over_flash = max(over_flash, int(count))
    for what, size, limit in _TOO_LARGE.findall(output):
        over = int(size) - int(limit)
        over_flash, over_ram = (over, over_ram) if what == "program" else (over_flash, over)
    if not (over_flash or over_ram):
        return None
    facts = [f"flash is {over_flash:,} bytes over"] if over_flash else []
    facts += [f"RAM is {over_ram:,} bytes over"] if over_ram else []
    board, excess = project.board, Excess(over_flash or -SPARE_BYTES, over_ram or -SPARE_BYTES)
    measure = partial(demand, board=board) if project.engine == "aot" else None
    return FitError(
        f"{project.model.name} does not fit {board.id}: {'; '.join(facts)}",
        remedies(project.compiled, board, excess, measure),
    )


def build_error(output: str, project: Project) -> ToolError | FitError:
    """Why the firmware was not built."""
    too_large = overflow(output, project)
    if too_large:
        return too_large
    lines = [line for line in output.splitlines() if _ERROR.search(line)] or _last_lines(output)
    return ToolError(
        f"{project.board.id}: PlatformIO could not build the firmware:\n{_indent(lines[:SHOWN_LINES])}",
        f"pio run -d {project.directory} -v shows every command",
    )


def is_missing_bootloader(output: str) -> bool:
    """Whether the uploader never found the board, so that nothing was written."""
    return bool(_NO_BOOTLOADER.search(output)) and not began_writing(output)


def began_writing(output: str) -> bool:
    """Whether the uploader had begun to erase or to write."""
    return bool(re.search(r"\b(erasing|writing|programming|\d+% )", output, re.IGNORECASE))


def upload_error(output: str, board: Board, port: str | None) -> DeviceError:
    """Why the upload failed, the state that the board is in, and how to recover it."""
    where = f"{board.id}{f' at {port}' if port else ''}"
    said = _indent(_last_lines(output))
    if _NO_PERMISSION.search(output):
        from tinyserve.devices.serial import udev_rule

        return DeviceError(
            f"{where}: no permission to upload; the board still runs what it ran before:\n{said}",
            "sudo usermod -aG dialout $USER and log in again; or put this into"
            f" /etc/udev/rules.d/99-tinyserve.rules:\n{udev_rule(board)}",
        )
    if is_missing_bootloader(output):
        return DeviceError(
            f"{where}: the bootloader was not found; the board still runs what it ran before:\n{said}",
            f"{_enter_bootloader(board)}, then run the command again",
        )
    state = (
        "the upload broke off half-way, and the board holds an incomplete firmware (its bootloader is intact)"
        if began_writing(output)
        else "the upload failed before anything was written"
    )
    return DeviceError(
        f"{where}: {state}:\n{said}",
        f"{_enter_bootloader(board)} and run the command again; if it breaks off again, try another cable or"
        " USB port",
    )


def _enter_bootloader(board: Board) -> str:
    if board.touch_1200:
        return "press the board's reset button twice quickly (or hold BOOT while connecting it)"
    return "disconnect and connect the board (hold BOOT, where it has such a button)"


def _last_lines(output: str) -> list[str]:
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(_NOISE)]
    return lines[-SHOWN_LINES:]


def _indent(lines: list[str]) -> str:
    return "\n".join(f"  {line.strip()}" for line in lines) or "  (PlatformIO said nothing)"
