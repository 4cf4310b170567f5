# SPDX-License-Identifier: Apache-2.0
"""The QEMU that is installed: where it is, which version, and what it can."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

from tinyserve.boards.types import Board
from tinyserve.errors import ToolError

QUESTION_TIMEOUT_S = 20.0


def find(board: Board) -> str:
    """The system emulator of the board's instruction set. Raises ToolError where it is not installed."""
    name = "qemu-system-riscv32" if board.core.port == "riscv" else "qemu-system-arm"
    path = shutil.which(name)
    if path is None:
        package = "qemu-system-misc" if board.core.port == "riscv" else "qemu-system-arm"
        raise ToolError(
            f"{name} is not installed, and {board.id} needs it",
            f"apt install {package} (Debian, Ubuntu) or brew install qemu (macOS)",
        )
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


def _answer(program: str, option: str) -> str:
    try:
        result = subprocess.run(
            [program, option], capture_output=True, text=True, timeout=QUESTION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{program} {option}: {error}", "install QEMU again") from error
    return result.stdout
