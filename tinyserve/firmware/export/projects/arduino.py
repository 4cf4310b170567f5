# SPDX-License-Identifier: Apache-2.0
"""An Arduino sketch: everything but the .ino in its ``src`` directory, as the Arduino IDE wants it."""

from __future__ import annotations

from tinyserve.errors import UsageError
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.libraries.arduino import check_sketch_name
from tinyserve.firmware.export.projects.source import Request, instead, rendered
from tinyserve.firmware.platformio.pio import PLATFORMIO_FILE
from tinyserve.templates import render_template


def files(request: Request) -> dict[str, bytes]:
    """The sketch's files; the directory's name is the sketch's. Raises UsageError where it can't be."""
    board = request.board
    if board.platformio is None and not board.arduino:
        raise UsageError(f"{board.id} has no Arduino core", instead(board))
    check_sketch_name(request.name)
    source = rendered(request, board)
    project = source.project
    made: dict[str, bytes] = {}
    for path, content in source.files.items():
        if path not in (PLATFORMIO_FILE, "src/main.cpp"):
            made[path.replace("src/model/", "src/", 1)] = content.replace(b'#include "model/', b'#include "')
    # The IDE passes no macros of a sketch's own.
    header = f"src/{project.model.header}"
    defines = "".join(f"#define {name} {value}\n" for name, value in project.defines.items())
    made[header] = defines.encode() + made[header]
    context = {"board": board, "model": project.model, "model_id": request.model_id, "sketch": request.name}
    made[f"{request.name}.ino"] = render_template("export/arduino/sketch.ino", context).encode()
    made["README.md"] = render_template("export/arduino/README.md", context).encode()
    return made


KIND = Kind("arduino", "a sketch", files)
