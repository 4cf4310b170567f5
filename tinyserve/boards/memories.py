# SPDX-License-Identifier: Apache-2.0
"""The memories of a board that a model's arena and weights may lie in, for the planner.

What a word costs is an estimate by the memory's kind, unless the board's file has a better one: caches,
buses and other masters decide it, and nothing here was measured.
"""

from __future__ import annotations

from dataclasses import replace

from tinyserve.boards.types import Board, Memory, Region, RegionKind
from tinyserve.compiler.program import ONE_MEMORY, Memories, MemoryRegion

WORD_CYCLES: dict[RegionKind, float] = {
    "": 1.0,
    "flash": 2.0,
    "mram": 2.0,
    "rram": 2.0,
    "external-flash": 10.0,
    "app-partition": 10.0,
    "sram": 1.0,
    "axi-sram": 2.0,
    "static-dram": 1.0,
    "ccm": 1.0,
    "tcm": 1.0,
    "itcm": 1.0,
    "dtcm": 1.0,
    "external-ram": 10.0,
}
DEFAULT_RAM = "ram"
_RESERVED_BYTES = 6 * 1024
"""Of the default RAM: the stack (4 KiB), the protocol's buffers, alignment."""
_CODE_BYTES = 64 * 1024
"""Of flash, or of RAM that code is copied to at start (two banks of tightly coupled memory)."""
DEFAULT_FLASH = "flash"


def word_cycles(region: Region | Memory) -> float:
    """About what a word read there costs the core, in cycles."""
    return region.word_cycles or WORD_CYCLES[region.kind]


def section_of(memory: Memory) -> str:
    """The section that lies there: the vendor's linker script's, or one of ours."""
    return memory.section or f".tinyserve_{memory.name.replace('-', '_')}"


def memories_of(board: Board | None) -> Memories:
    """What the planner may use, the default first; nothing to choose on boards with one memory."""
    if board is None or board.ram is None:
        return ONE_MEMORY
    taken = _RESERVED_BYTES + (_CODE_BYTES if board.code_in == "ram" else 0)
    ram = MemoryRegion(DEFAULT_RAM, max(0, board.ram.bytes - taken), word_cycles(board.ram))
    others = [_region(memory) for memory in board.memory if "arena" in memory.holds]
    weights = _weights(board, ram)
    return Memories((ram, *others), weights) if others or weights else ONE_MEMORY


def _weights(board: Board, ram: MemoryRegion) -> tuple[MemoryRegion, ...]:
    if board.flash is None:
        return ()
    flash = MemoryRegion(
        DEFAULT_FLASH, max(0, board.flash.bytes - _CODE_BYTES), word_cycles(board.flash), board.flash.section
    )
    others = [_region(memory) for memory in board.memory if "weights" in memory.holds]
    if board.constants_in == "ram":
        return (ram, flash, *others) if board.flash.section else (ram, *others) if others else ()
    return (replace(flash, section=""), *others) if others else ()


def _region(memory: Memory) -> MemoryRegion:
    return MemoryRegion(memory.name, memory.bytes, word_cycles(memory), section_of(memory))
