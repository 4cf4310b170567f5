# SPDX-License-Identifier: Apache-2.0
"""The memory that a model has: one static arena, or one for each memory that its buffers lie in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tinyserve.compiler.program import (
    Buffer,
    ControlCall,
    KernelCall,
    MemoryPlan,
    MemoryRegion,
    Program,
)


def arena_names(plan: MemoryPlan, first: str) -> list[str]:
    """What the arenas are called, of which ``first`` is the first."""
    return [first, *(f"{first}_{number}" for number in range(1, len(plan.parts)))]


def arena_places(program: Program, plan: MemoryPlan, first: str) -> dict[Buffer, str]:
    """The name of the arena that each buffer lies in, those of subgraphs included."""
    names = arena_names(plan, first)
    places = {buffer: names[plan.part(buffer)] for buffer in plan.offsets}
    _add_blocks(program.calls, places)
    return places


def _add_blocks(calls: Iterable[KernelCall], places: dict[Buffer, str]) -> None:
    for call in calls:
        if isinstance(call, ControlCall):
            for block in call.blocks:
                places |= dict.fromkeys(block.buffers, places[call.region])
                _add_blocks(block.calls, places)


def arena_sizes(plan: MemoryPlan, macro: str) -> Iterator[str]:
    """Macros of the single arenas, where there are several."""
    if len(plan.parts) > 1:
        for number, part in enumerate(plan.parts):
            yield f"#define {macro}ARENA_{number}_BYTES {part.nbytes} /* {part.memory.name} */"


def arena_definitions(plan: MemoryPlan, first: str, macro: str) -> Iterator[str]:
    """The arenas, with the macros by which their places are chosen."""
    memories: list[MemoryRegion | None] = [part.memory for part in plan.parts] or [None]
    for number, (memory, name) in enumerate(zip(memories, arena_names(plan, first), strict=True)):
        place = f"{macro}ARENA_{number}" if number else f"{macro}ARENA"
        size = f"{macro}ARENA_{number}_BYTES" if len(memories) > 1 else f"{macro}ARENA_BYTES"
        size = size if plan.arena_bytes else "1"
        yield from section_macro(f"{place}_ATTRIBUTE", memory, "the arena")
        yield f"static _Alignas({plan.alignment}) uint8_t {name}[{size}] {place}_ATTRIBUTE;"


def section_macro(name: str, memory: MemoryRegion | None, what: str) -> Iterator[str]:
    """A macro that places what follows it: the section that the compiler chose, unless it is defined."""
    chosen = f" The compiler chose {memory.name}." if memory is not None else ""
    yield f"/* Where {what} lies may be chosen: a section, a bank.{chosen} */"
    given = f" {_section(memory, what)}" if memory is not None and memory.section else ""
    yield from (f"#ifndef {name}", f"#define {name}{given}", "#endif")


def _section(memory: MemoryRegion, what: str) -> str:
    if what == "constants":
        return f'__attribute__((section("{memory.section}")))'
    return f'TS_UNINITIALIZED("{memory.section}")'
