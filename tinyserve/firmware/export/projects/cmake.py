# SPDX-License-Identifier: Apache-2.0
"""A CMake project: the model as a library, and firmware for an emulated core or for this computer."""

from __future__ import annotations

from tinyserve.errors import UsageError
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.projects.source import Request, instead, rendered
from tinyserve.firmware.toolchain import gcc_flags, gcc_names
from tinyserve.templates import render_template


def files(request: Request) -> dict[str, bytes]:
    """The project's files. Raises UsageError for a core that only its vendor's compiler knows."""
    board = request.board
    if board.core.port == "":
        raise UsageError(f"{board.id}: no GCC for a {board.core.name} is known", instead(board))
    bare = board.core.port != "host"
    source = rendered(request, board, emulate=True)
    project = source.project
    context = {
        "board": board,
        "model": project.model,
        "model_id": request.model_id,
        "defines": project.defines,
        "bare": bare,
        "assembly": source.has_assembly,
        "model_sources": source.paths("model", "weights"),
        "firmware_sources": source.paths("startup", "firmware", "runtime"),
        "flags": gcc_flags(board.core),
        "names": gcc_names(board.core),
    }
    templates = ["CMakeLists.txt", "README.md", *(["toolchain.cmake"] if bare else [])]
    made = {name: render_template(f"export/cmake/{name}", context).encode() for name in templates}
    return source.files | made


KIND = Kind("cmake", "a CMake project, for an emulated core or this computer", files)
