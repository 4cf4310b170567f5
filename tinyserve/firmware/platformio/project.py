# SPDX-License-Identifier: Apache-2.0
"""PlatformIO projects: a real board's Arduino project, or an emulated board's for our own platform."""

from __future__ import annotations

from pathlib import Path

from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.files import write
from tinyserve.firmware.platformio import platform
from tinyserve.firmware.platformio.pio import PLATFORMIO_FILE
from tinyserve.firmware.render import RENDERED_FILE, Project, render
from tinyserve.templates import render_template


def render_project(
    compiled: Compiled,
    board: Board,
    directory: Path,
    *,
    engine: str = "aot",
    emulate: bool = False,
    model_id: str = "",
    platform_name: str = platform.NAME,
    energy_pin: int | None = None,
    tflm: str = "",
) -> Project:
    """Writes the PlatformIO project of a compiled model for a board, or for its twin with ``emulate``.

    ``platform_name`` is how an emulated board's platformio.ini names our platform. ``energy_pin``: MLPerf
    Tiny's energy mode, with time stamps as edges of that pin. Raises UsageError for what
    PlatformIO has no part in, and FileSystemError.
    """
    ini = directory / PLATFORMIO_FILE
    if ini.exists() and not (directory / RENDERED_FILE).exists():
        raise FileSystemError(
            f"{ini} is in the way and was not rendered by tinyserve",
            "choose another directory for the firmware project",
        )
    project = render(
        compiled, board, directory, engine, emulate=emulate, model_id=model_id,
        energy_mode=energy_pin is not None, timestamp_pin=energy_pin, tflm=tflm,
    )  # fmt: skip
    if project.port == "host":
        raise UsageError(
            f"{board.id}: PlatformIO has no part in programs of this computer", "tinyserve bench"
        )
    if project.port != "arduino":
        context = {"board": board, "defines": project.defines, "platform": platform_name}
        content = render_template(f"platformio/{PLATFORMIO_FILE}", context)
        write(ini, content.encode())
    return project
