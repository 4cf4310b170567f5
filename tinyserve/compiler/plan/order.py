# SPDX-License-Identifier: Apache-2.0
"""The order of calls: what is computed long before it is read keeps its bytes in the arena until then.

Converters put what all turns of a recurrent layer compute of the inputs in front of the first turn. Computed
by each turn when it is read, it takes one turn's bytes, and the turns are laid out alike.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tinyserve.compiler.plan.planner import lifetimes, plan
from tinyserve.compiler.program import BandCall, Buffer, ControlCall, KernelCall, MemoryPlan, Program


def in_order(program: Program) -> tuple[Program, MemoryPlan]:
    """The program with its plan; each call just before the first that reads what it writes, where the arena
    is smaller for it."""
    memory = plan(program)
    if any(isinstance(call, ControlCall | BandCall) or call.continues for call in program.calls):
        return program, memory
    late = replace(program, calls=_late(program))
    if late.calls == program.calls or _most_alive(late) >= _most_alive(program):
        return program, memory
    planned = plan(late)
    return (late, planned) if planned.arena_bytes < memory.arena_bytes else (program, memory)


def _late(program: Program) -> list[KernelCall]:
    """Calls when they are needed. Those that touch state, or bytes that others write, too, stay in order.

    Of what a call needs, what came last comes first: that is the long way of the states, and what each turn
    adds to it comes in between.
    """
    places = {call: index for index, call in enumerate(program.calls)}
    writers = Counter(buffer for call in program.calls for buffer in set(call.writes))
    waiting: dict[Buffer, KernelCall] = {}
    made: list[KernelCall] = []
    wanted = {buffer for call in program.calls for buffer in call.reads if buffer not in call.writes}

    def may_wait(call: KernelCall) -> bool:
        touched = [*call.reads, *call.writes]
        return any(buffer in wanted for buffer in call.writes) and all(
            buffer.kind != "state" and writers[buffer] <= 1 for buffer in touched
        )

    def put(call: KernelCall) -> None:
        todo = [call]
        while todo:
            needed = [waiting[buffer] for buffer in todo[-1].reads if buffer in waiting]
            if needed:
                todo.append(max(needed, key=places.__getitem__))
                for buffer in todo[-1].writes:
                    waiting.pop(buffer, None)
            else:
                made.append(todo.pop())

    for call in program.calls:
        if may_wait(call):
            waiting |= dict.fromkeys(call.writes, call)
        else:
            put(call)
    for call in list(dict.fromkeys(waiting.values())):
        if any(buffer in waiting for buffer in call.writes):
            for buffer in call.writes:
                waiting.pop(buffer, None)
            put(call)
    return made


def _most_alive(program: Program) -> int:
    """Bytes of all values that are alive at one time, were none to lie over another."""
    lives = lifetimes(program)
    changes: Counter[int] = Counter()
    for buffer in program.buffers:
        changes[lives[buffer].first] += buffer.nbytes
        changes[lives[buffer].last + 1] -= buffer.nbytes
    alive = most = 0
    for index in sorted(changes):
        alive += changes[index]
        most = max(most, alive)
    return most
