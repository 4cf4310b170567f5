# SPDX-License-Identifier: Apache-2.0
"""What every kind of export starts from: a rendered firmware project, as files in memory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled
from tinyserve.firmware.render import RENDERED_FILE, Project, render


@dataclass(frozen=True)
class Request:
    """What to export. ``name`` is that of the output directory."""

    compiled: Compiled
    board: Board
    model_id: str
    name: str


@dataclass(frozen=True)
class Source:
    """A rendered project and its files by path."""

    project: Project
    files: dict[str, bytes]

    def paths(self, *parts: str) -> list[str]:
        """The sources of these parts ("model", "weights", "firmware", ...)."""
        return [source.path for source in self.project.sources if source.part in parts]

    @property
    def has_assembly(self) -> bool:
        return any(source.path.endswith(".S") for source in self.project.sources)


def instead(board: Board) -> str:
    """What to try where a kind of export has no part in a board."""
    return f"export --as {'platformio' if board.platformio else board.export_kind}"


def rendered(request: Request, board: Board, emulate: bool = False) -> Source:
    """The files that `render` writes for a board. Raises as that does."""
    with tempfile.TemporaryDirectory(prefix="tinyserve-") as name:
        root = Path(name)
        project = render(request.compiled, board, root, emulate=emulate, model_id=request.model_id)
        files = {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name != RENDERED_FILE
        }
    return Source(project, files)
