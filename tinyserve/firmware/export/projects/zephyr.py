# SPDX-License-Identifier: Apache-2.0
"""A Zephyr application: the protocol on the console's UART."""

from __future__ import annotations

from msgspec.structs import replace

from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.projects.source import Request, rendered
from tinyserve.firmware.render import DEFAULT_STACK_BYTES
from tinyserve.templates import render_template

# Zephyr's configuration has a macro of that name, which every source sees.
_OWN_NAME = b"#undef CONFIG_BOARD\n#define CONFIG_BOARD"


def files(request: Request) -> dict[str, bytes]:
    """The application's files: kernels of the board's core, the port of Zephyr."""
    # The port of a computer is replaced below; its clock has the same unit.
    hosted = replace(request.board, core=replace(request.board.core, port="host"), platformio=None)
    source = rendered(request, hosted)
    project = source.project
    context = {
        "board": request.board,
        "model": project.model,
        "model_id": request.model_id,
        "defines": project.defines,
        "sources": [file.path for file in project.sources],
        "stack_bytes": DEFAULT_STACK_BYTES,
    }
    made = dict(source.files)
    made["src/config.h"] = made["src/config.h"].replace(b"#define CONFIG_BOARD", _OWN_NAME, 1)
    made["src/port.c"] = render_template("export/zephyr/port.c", context).encode()
    for name in ("CMakeLists.txt", "prj.conf", "README.md"):
        made[name] = render_template(f"export/zephyr/{name}", context).encode()
    return made


KIND = Kind("zephyr", "a Zephyr application", files)
