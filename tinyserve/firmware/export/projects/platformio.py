# SPDX-License-Identifier: Apache-2.0
"""A PlatformIO project: of a real board for its platform; of an emulated one with our platform inside."""

from __future__ import annotations

from tinyserve.errors import UsageError
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.projects.source import Request, instead, rendered
from tinyserve.firmware.platformio.pio import PLATFORMIO_FILE
from tinyserve.firmware.platformio.platform import is_emulated, platform_files
from tinyserve.templates import render_template


def files(request: Request) -> dict[str, bytes]:
    """The project's files. Raises UsageError for a board that PlatformIO has no part in."""
    board = request.board
    emulated = board.platformio is None
    if emulated and not is_emulated(board):
        raise UsageError(f"{board.id}: PlatformIO has no part in it", instead(board))
    # Not just "platform": PlatformIO keeps one link per name.
    platform = f"tinyserve-{board.id}"
    source = rendered(request, board)
    made = dict(source.files)
    context = {
        "board": board,
        "defines": source.project.defines,
        "model": source.project.model,
        "model_id": request.model_id,
        "emulated": emulated,
        "platform": f"symlink://{platform}",
        "directory": platform,
    }
    if emulated:
        made[PLATFORMIO_FILE] = render_template(f"platformio/{PLATFORMIO_FILE}", context).encode()
        inside = platform_files([board], platform)
        made |= {f"{platform}/{name}": content for name, content in inside.items()}
    made["README.md"] = render_template("export/platformio/README.md", context).encode()
    return made


KIND = Kind("platformio", "a PlatformIO project", files)
