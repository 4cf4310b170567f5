# SPDX-License-Identifier: Apache-2.0
"""A board's PlatformIO environment without a model, to look up and install beforehand what it needs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve.boards.types import Board
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio import packages
from tinyserve.firmware.platformio.pio import PLATFORMIO_FILE, Pio
from tinyserve.progress import Progress, silent

if TYPE_CHECKING:
    from tinyserve.firmware.render import Project  # with the compiler, which looking for packages needs not


def lacking(board: Board) -> list[str]:
    """What PlatformIO has not installed of what a real board needs ("platform nordicnrf52"); no network.

    Raises ToolError where PlatformIO itself is missing or broken.
    """
    with _project(board) as (directory, pio):
        return packages.missing_packages(directory, board.id, pio)


def install(board: Board, progress: Progress = silent) -> list[str]:
    """Installs what is lacking for a real board and names it. Raises ToolError, in a second when offline."""
    with _project(board) as (directory, pio):
        return _install(directory, board, pio, progress)


def install_for(project: Project, pio: Pio, progress: Progress = silent) -> list[str]:
    """The same for a rendered project, with the libraries that it names."""
    return _install(project.directory, project.board, pio, progress)


def _install(directory: Path, board: Board, pio: Pio, progress: Progress) -> list[str]:
    assert board.platformio is not None
    if packages.may_have_platform(board, pio.core):
        names = packages.missing_packages(directory, board.id, pio)
    else:
        names = [f"platform {board.platformio.platform}"]
    if names:
        progress(f"missing {', '.join(names)}")
        packages.install(directory, board.id, names, board, pio)
    return names


@contextmanager
def _project(board: Board) -> Iterator[tuple[Path, Pio]]:
    assert board.platformio is not None
    core = cores.core_for(emulated=False)
    if core == cores.private_core():
        cores.provision(core)
    settings = board.platformio
    with tempfile.TemporaryDirectory(prefix="tinyserve-") as name:
        directory = Path(name)
        lines = [
            f"[env:{board.id}]",
            f"platform = {settings.platform}",
            f"board = {settings.board}",
            f"framework = {settings.framework}",
        ]
        if settings.upload_protocol:  # some platforms want another uploader for it
            lines.append(f"upload_protocol = {settings.upload_protocol}")
        (directory / PLATFORMIO_FILE).write_bytes(("\n".join(lines) + "\n").encode())
        yield directory, Pio(core)
