# SPDX-License-Identifier: Apache-2.0
"""The files that Renode runs a twin from: platform (.repl), script (.resc) and a test for its own runner."""

from __future__ import annotations

from tinyserve.boards.types import Board, Region
from tinyserve.firmware.interface import ModelInterface
from tinyserve.templates import render_template

DIRECTORY = "renode"
_FILES = ("twin.repl", "run.resc", "twin.robot")
_PAGE_BYTES = 0x1000


def renode_files(board: Board, model: ModelInterface) -> dict[str, str]:
    """The files by their path in the project; none where Renode has no such core."""
    if not board.core.renode_cpu:
        return {}
    assert board.flash is not None and board.ram is not None
    known = next((emulator for emulator in board.emulators if emulator.kind == "renode"), None)
    regions = [("flash", board.flash), ("ram", board.ram)]
    if board.vectors:
        regions.append(("vectors", board.vectors))
    further = [memory for memory in board.memory if memory.holds]
    regions += [(memory.name.replace("-", "_"), Region(memory.origin, memory.bytes)) for memory in further]
    context = {
        "board": board,
        "model": model,
        "platform": known.machine if known else "",
        "without": known.without if known else [],
        "regions": [(name, _pages(region)) for name, region in regions],
        "vectors": (board.vectors or board.flash).origin,
        "cortex_m": board.core.port == "cortex_m",
        "mips": max(1, board.clock_hz // 1_000_000),
    }
    return {f"{DIRECTORY}/{name}": render_template(f"renode/{name}", context) for name in _FILES}


def _pages(region: Region) -> Region:
    """The region in whole pages, which is what Renode maps."""
    start = region.origin // _PAGE_BYTES * _PAGE_BYTES
    end = -(-(region.origin + region.bytes) // _PAGE_BYTES) * _PAGE_BYTES
    return Region(start, end - start)
