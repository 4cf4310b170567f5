# SPDX-License-Identifier: Apache-2.0
"""Several memories: what is read most lies in the fastest, and what fits into none alone is spread.

The arena lies whole in the fastest memory that has it, or in parts, a buffer in one of them: whichever costs
fewer cycles by the estimates of ``traffic`` and of the board's file. Where neither is possible the plan stays
as it is, and the linker says by how much it is too large.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tinyserve.compiler.plan import traffic
from tinyserve.compiler.plan.packing import Problem, good_orders, lowest_offset
from tinyserve.compiler.plan.planner import check, problem_of, solve
from tinyserve.compiler.program import (
    ArenaPart,
    Buffer,
    Constant,
    Memories,
    MemoryPlan,
    MemoryRegion,
    Program,
)

Traffic = Mapping[Buffer | Constant, float]
"""Words that an inference moves of each."""
_WORTH = 0.02
"""Of the cycles that reads and writes take: what parts must save against an arena in one piece."""
_MOST_ORDERS = 300
"""Further orders that are tried where none of the usual ones finds a place for all."""


def place(program: Program, plan: MemoryPlan, memories: Memories) -> MemoryPlan:
    """The plan with the arena's parts and the constants in the memories of a board."""
    if max(len(memories.arena), len(memories.weights)) < 2:
        return plan  # nothing to choose
    moved = traffic.words(program)
    placed = _arena(program, plan, _beside(program, memories.arena), moved)
    taken = _taken(placed, memories.arena)
    left = [replace(one, nbytes=one.nbytes - taken.get(one.name, 0)) for one in memories.weights]
    weights = _weights(program, left, moved)
    return replace(placed, weights=weights) if weights else placed


def _beside(program: Program, memories: Sequence[MemoryRegion]) -> list[MemoryRegion]:
    """The memories without what lies in the default one beside the arena: firmware keeps the inputs that it
    was sent."""
    inputs = sum(buffer.nbytes for buffer in program.inputs)
    return [
        replace(one, nbytes=max(0, one.nbytes - (0 if index else inputs)))
        for index, one in enumerate(memories)
    ]


def _taken(plan: MemoryPlan, memories: Sequence[MemoryRegion]) -> dict[str, int]:
    """Bytes that the arena takes of each memory."""
    if plan.parts:
        return {part.memory.name: part.nbytes for part in plan.parts}
    return {memories[0].name: plan.arena_bytes} if memories else {}


# --- the arena


def _arena(
    program: Program, plan: MemoryPlan, memories: Sequence[MemoryRegion], moved: Traffic
) -> MemoryPlan:
    reach = max((at + buffer.nbytes for buffer, at in plan.offsets.items()), default=0)
    if len(memories) < 2 or not reach or reach + plan.alignment <= plan.arena_bytes:
        return plan  # the last: an arena that holds more than these buffers, as an interpreter's does
    whole = min(
        (one for one in memories if one.nbytes >= plan.arena_bytes),
        key=lambda one: one.word_cycles,
        default=None,
    )
    fastest = min(memories, key=lambda one: one.word_cycles)
    if whole is not None and whole.word_cycles <= fastest.word_cycles:
        return _in_one(plan, whole)
    most = _cycles(moved, program.buffers, whole) * (1 - _WORTH) if whole is not None else float("inf")
    split = _in_parts(program, plan, memories, moved, most)
    if split is not None:
        return split
    return plan if whole is None else _in_one(plan, whole)


def _in_one(plan: MemoryPlan, memory: MemoryRegion) -> MemoryPlan:
    return replace(plan, parts=(ArenaPart(memory, 0, plan.arena_bytes),))


def _cycles(moved: Traffic, buffers: Sequence[Buffer], memory: MemoryRegion) -> float:
    return sum(moved.get(buffer, 0.0) for buffer in buffers) * memory.word_cycles


@dataclass(frozen=True)
class _Layout:
    """The buffers by number, as the packing knows them. ``words``: that each of them moves."""

    buffers: Sequence[Buffer]
    problem: Problem
    words: Sequence[float]

    @classmethod
    def of(cls, program: Program, plan: MemoryPlan, moved: Traffic) -> _Layout:
        words = [moved.get(buffer, 0.0) for buffer in program.buffers]
        return cls(program.buffers, problem_of(program, plan.lifetimes, program.buffers), words)


@dataclass(frozen=True)
class _Spread:
    """Which buffers lie in which memory, and the cycles of it."""

    members: tuple[tuple[Buffer, ...], ...]
    cycles: float


def _in_parts(
    program: Program,
    plan: MemoryPlan,
    memories: Sequence[MemoryRegion],
    moved: Traffic,
    most: float,
) -> MemoryPlan | None:
    """Parts that cost at most so many cycles, or None: the cheapest of what orders give."""
    fast_first = sorted(memories, key=lambda one: one.word_cycles)
    layout = _Layout.of(program, plan, moved)
    usual = _usual_orders(layout)
    best: _Spread | None = None
    for number, order in enumerate(_orders(usual)):
        if best is not None and number >= len(usual):
            break
        found = _spread(layout, order, fast_first)
        if found is not None and (best is None or found.cycles < best.cycles):
            best = found
    if best is None or best.cycles > most:
        return None
    return _packed(program, plan, fast_first, best)


def _usual_orders(layout: _Layout) -> list[list[int]]:
    """By words per byte, then the packing's own."""
    sizes = layout.problem.sizes
    heat = [words / max(1, nbytes) for words, nbytes in zip(layout.words, sizes, strict=True)]
    return [sorted(range(len(sizes)), key=lambda piece: (-heat[piece], piece)), *good_orders(layout.problem)]


def _orders(usual: Sequence[list[int]]) -> Iterator[list[int]]:
    """The usual ones, and then those with a few pieces moved."""
    yield from usual
    chance, count = random.Random(0), len(usual[0])
    for _ in range(_MOST_ORDERS if count > 1 else 0):
        order = list(chance.choice(usual))
        for _ in range(chance.randrange(1, 4)):
            order.insert(chance.randrange(count - 1), order.pop(chance.randrange(count)))
        yield order


def _spread(
    layout: _Layout,
    order: Sequence[int],
    memories: Sequence[MemoryRegion],
) -> _Spread | None:
    """Each buffer at the lowest offset of the first memory that still has the room; None where none has."""
    problem = layout.problem
    offsets = [[-1] * len(problem.sizes) for _ in memories]
    members: list[list[int]] = [[] for _ in memories]
    cycles = 0.0
    for piece in order:
        for number, memory in enumerate(memories):
            offset = lowest_offset(problem, offsets[number], piece)
            if offset + problem.sizes[piece] <= memory.nbytes:
                offsets[number][piece] = offset
                members[number].append(piece)
                cycles += layout.words[piece] * memory.word_cycles
                break
        else:
            return None
    chosen = (tuple(layout.buffers[piece] for piece in sorted(one)) for one in members)
    return _Spread(tuple(chosen), cycles)


def _packed(
    program: Program, plan: MemoryPlan, memories: Sequence[MemoryRegion], spread: _Spread
) -> MemoryPlan:
    """Each part packed again by itself, as small as it gets, one after the other in the plan's offsets."""
    offsets: dict[Buffer, int] = {}
    parts, start = [], 0
    for memory, members in zip(memories, spread.members, strict=True):
        if not members:
            continue
        packing = solve(program, plan.lifetimes, buffers=members)
        offsets |= {buffer: start + at for buffer, at in zip(members, packing.offsets, strict=True)}
        parts.append(ArenaPart(memory, start, packing.total))
        start = -(-(start + packing.total) // plan.alignment) * plan.alignment
    end = parts[-1].start + parts[-1].nbytes
    made = replace(plan, offsets=offsets, arena_bytes=end, parts=tuple(parts))
    faults = check(program, made)
    if faults:
        raise AssertionError("the parts of the memory plan are wrong: " + "; ".join(faults))
    return made


# --- constants


def _weights(
    program: Program, memories: Sequence[MemoryRegion], moved: Traffic
) -> dict[Constant, MemoryRegion]:
    """Constants that do not lie in the first memory, which is theirs by default: those that are read most per
    byte get the fast ones."""
    if len(memories) < 2:
        return {}
    room = {memory.name: memory.nbytes for memory in memories}
    found = {}
    fast_first = sorted(memories, key=lambda one: one.word_cycles)
    for constant in sorted(program.constants, key=lambda one: (-_heat(one, moved), one.name)):
        needed = -(-constant.nbytes // 16) * 16
        memory = next((one for one in fast_first if room[one.name] >= needed), memories[0])
        room[memory.name] -= needed
        if memory is not memories[0]:
            found[constant] = memory
    return found


def _heat(constant: Constant, moved: Traffic) -> float:
    return moved.get(constant, 0.0) / max(1, constant.nbytes)
