# SPDX-License-Identifier: Apache-2.0
"""The QEMU that is installed: where it is, which version, and what it can."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tinyserve import platforms, programs, tool_versions
from tinyserve.boards.types import Board
from tinyserve.errors import ToolError

QUESTION_TIMEOUT_S = 20.0
OLDEST = (6, 0)
"""The first with mps3-an547, the newest of the machines that twins run on."""


def find(board: Board) -> str:
    """The system emulator of the board's instruction set. Raises ToolError where it is not installed."""
    name = "qemu-system-riscv32" if board.core.port == "riscv" else "qemu-system-arm"
    path = shutil.which(name)
    if path is None:
        install = platforms.here().installs[name]
        raise ToolError(f"{name} is not installed, and {board.id} needs it", install)
    return path


@cache
def version(program: str) -> str:
    """Its own words, "7.2.22"; "" where it says none. Raises ToolError where it can't be asked."""
    match = re.search(r"version (\d+(?:\.\d+)*)", _answer(program, "--version"))
    return match[1] if match else ""


@cache
def takes_plugins(program: str) -> bool:
    """Whether it was built with TCG plugins. Raises ToolError where it can't be asked."""
    return bool(re.search(r"^-plugin\b", _answer(program, "-help"), re.MULTILINE))


@cache
def newest_plugin_api(program: str, impossible: Path) -> int | None:
    """The newest version of the plugin interface that it takes, in the words with which it refuses one of a
    later one; None where it says nothing of the kind. Raises ToolError where it can't be asked."""
    options = ("-machine", "none", "-display", "none", "-plugin", escaped(impossible))
    match = re.search(r"only up to version (\d+)", _answer(program, *options))
    return int(match[1]) if match else None


def escaped(path: Path) -> str:
    """As QEMU's options have it: a comma is doubled."""
    return str(path).replace(",", ",,")


def advice(program: str) -> str:
    """What to try where it does not start, by its version."""
    try:
        found = version(program)
    except ToolError:
        found = ""

    if found and tuple(int(part) for part in found.split(".")) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"this is QEMU {found}; {oldest} is the first with all machines of the twins: install that"
    instead = "--emulator unicorn, where the board has it"
    remark = tool_versions.remark(f"QEMU emulator version {found}") if found else "QEMU of no known version"
    return f"{remark or f'QEMU {found} was tried, with other options'}; {instead}"


def _answer(program: str, *options: str) -> str:
    try:
        result = programs.ask([program, *options], QUESTION_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{program} {' '.join(options)}: {error}", "install QEMU again") from error
    return result.stdout + result.stderr
