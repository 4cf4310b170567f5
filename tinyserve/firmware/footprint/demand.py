# SPDX-License-Identifier: Apache-2.0
"""What the bench firmware of a model takes of a board: built and linked as ``build`` does it, since nothing
else knows the code that a compiler makes of a model. It takes a second, and the build that follows is
spared it."""

from __future__ import annotations

from tinyserve.boards.fit import Demand, estimate, is_certain
from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled
from tinyserve.errors import ToolError
from tinyserve.firmware.build import linked_sizes
from tinyserve.firmware.sizes import of_sizes
from tinyserve.firmware.toolchain import zig_path


def demand(compiled: Compiled, board: Board, model_id: str = "") -> Demand:
    """As the linker has it for the board's twin; an estimate where none can be built here (Xtensa, this
    computer, a plain install without a compiler). Raises ToolError where building fails."""
    sizes = linked_sizes(compiled, board, model_id) if can_build(board) else None
    return estimate(compiled) if sizes is None else of_sizes(sizes)


def demand_in_doubt(compiled: Compiled, board: Board, model_id: str = "") -> Demand:
    """The estimate where it is enough to tell whether the board fits, else as ``demand``."""
    estimated = estimate(compiled)
    return estimated if is_certain(estimated, board) else demand(compiled, board, model_id)


def can_build(board: Board) -> bool:
    """Whether the compiler that comes with the package is installed and builds for the board's core."""
    if not board.core.zig_target or board.core.port in ("", "host"):
        return False
    try:
        zig_path()
    except (ToolError, ModuleNotFoundError):  # what a finder of modules may raise itself
        return False
    return True
