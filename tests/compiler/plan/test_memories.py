# SPDX-License-Identifier: Apache-2.0
"""Arenas in several memories: valid by running them byte by byte, within each memory, the hot in the fast."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.programs import Machine, buffer, call, program, programs
from tinyserve.compiler.plan.memories import place
from tinyserve.compiler.plan.planner import check, plan
from tinyserve.compiler.program import (
    ONE_MEMORY,
    Constant,
    Memories,
    MemoryPlan,
    MemoryRegion,
    Program,
)


def in_memories(one: Program, *memories: MemoryRegion) -> MemoryPlan:
    return place(one, plan(one), Memories(arena=memories))


@settings(max_examples=120)
@given(programs(), st.lists(st.integers(1, 70), min_size=2, max_size=3), st.randoms())
def test_parts_hold_every_buffer_for_its_life(one: Program, sizes: list[int], chance: object) -> None:
    whole = plan(one)
    memories = [
        MemoryRegion(f"m{index}", whole.arena_bytes * size // 60, float(index + 1))
        for index, size in enumerate(sizes)
    ]
    made = place(one, whole, Memories(arena=tuple(memories)))
    assert check(one, made) == []
    Machine(one, made).run()
    for part in made.parts:
        room = next(memory.nbytes for memory in memories if memory.name == part.memory.name)
        assert part.nbytes <= room and part.start % made.alignment == 0
    if not made.parts:  # the first memory holds the inputs that firmware was sent, too
        beside = sum(each.nbytes for each in one.inputs)
        left = [memories[0].nbytes - beside, *(memory.nbytes for memory in memories[1:])]
        assert made is whole and max(left) < whole.arena_bytes


def two_values() -> Program:
    """``hot`` is read by three calls, ``cold`` by the last alone; both live all along."""
    x = buffer("x", 16, "input")
    hot, cold, out = (buffer(name, 64, "activation") for name in ("hot", "cold", "out"))
    calls = [call([x], [hot]), call([hot], [cold])]
    calls += [call([hot], [buffer(f"r{index}", 4, "activation")]) for index in range(3)]
    return program([*calls, call([hot, cold], [out])], [x], [out])


def test_what_is_moved_most_per_byte_lies_in_the_fast_memory() -> None:
    one = two_values()
    made = in_memories(one, MemoryRegion("slow", 1024, 9.0), MemoryRegion("fast", 80, 1.0, ".fast"))
    names = {made.parts[made.part(each)].memory.name: set() for each in one.buffers}
    for each in one.buffers:
        names[made.parts[made.part(each)].memory.name].add(each.name)
    assert "hot" in names["fast"] and {"cold", "out"} <= names["slow"]


def test_an_arena_in_one_piece_is_kept_where_parts_save_nothing() -> None:
    one = two_values()
    made = in_memories(one, MemoryRegion("ram", 1024, 1.0), MemoryRegion("other", 1024, 1.0, ".other"))
    assert [part.memory.name for part in made.parts] == ["ram"]
    assert made.offsets == plan(one).offsets


def test_one_memory_leaves_the_plan_as_it_is() -> None:
    one = two_values()
    made = plan(one)
    assert place(one, made, ONE_MEMORY) is made
    assert place(one, made, Memories(arena=(MemoryRegion("ram", 1 << 20, 1.0),))) is made


def test_constants_read_most_get_the_fast_memory_and_what_the_arena_leaves_of_it() -> None:
    x, y, z = buffer("x", 64, "input"), buffer("y", 64, "activation"), buffer("z", 64, "activation")
    often = Constant("often", np.zeros(256, np.int8), "int8_t")
    seldom = Constant("seldom", np.zeros(256, np.int8), "int8_t")
    first, second = call([x], [y]), call([y], [z])
    first.args.append(often)
    second.args.append(seldom)
    object.__setattr__(first, "macs", 100_000)
    object.__setattr__(second, "macs", 300)
    one = program([first, second], [x], [z])
    one.constants.extend([seldom, often])
    ram = MemoryRegion("ram", plan(one).arena_bytes + 300, 1.0)
    flash = MemoryRegion("flash", 1 << 20, 8.0, ".progmem")
    made = place(one, plan(one), Memories(arena=(ram,), weights=(ram, flash)))
    assert made.weights == {seldom: flash}
