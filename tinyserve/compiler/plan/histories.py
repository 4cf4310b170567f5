# SPDX-License-Identifier: Apache-2.0
"""Histories: variables of streaming models that hold what came last move once in an inference.

Such a model reads a variable, joins what is new to it, and assigns the joined values without the oldest:
two copies of all of it. Where views have made both of them parts of the joined values, those may live across
inferences themselves, and what is read is moved within them; the assignment is where it has to be already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.plan.planner import plan
from tinyserve.compiler.program import Buffer, Constant, KernelCall, MemoryPlan, Optimize, Program, View

_GROWTH: dict[Optimize, float] = {"speed": 0.1, "balanced": 0.02, "size": 0.02, "ram": 0.0}
"""By what share the arena may grow: joined values hold what is new as well."""
_MOVE = "ts_move"
_MOST_TRIALS = 24


@dataclass(frozen=True)
class _History:
    """A variable that is read by one call and assigned by another; ``joined`` holds both values, what is
    assigned from ``start`` on. ``first``: the first call that writes ``joined``."""

    state: Buffer
    joined: Buffer
    start: int
    first: int
    read: int
    assigned: int

    @property
    def growth(self) -> float:
        """By what share of the variable it becomes larger."""
        return (self.joined.nbytes - self.state.nbytes) / self.state.nbytes


def with_histories(program: Program, memory: MemoryPlan) -> tuple[Program, MemoryPlan]:
    """The program whose histories move once, and its plan, as long as the arena grows little; the same two
    where there is none."""
    if any(call.continues for call in program.calls):
        return program, memory  # where an inference ends early, nothing of it may lie in a variable
    found = [one for buffer in program.buffers if (one := _history(program, buffer)) is not None]
    states = [one.state for one in sorted(found, key=lambda one: one.growth)]
    most = int(memory.arena_bytes * (1 + _GROWTH[program.target.optimize]))
    trials = [states, *([state] for state in states[:_MOST_TRIALS])]
    for trial in trials if states else []:
        moved = _moved_once(program, trial)
        planned = plan(moved)
        if planned.arena_bytes <= most:
            program, memory = moved, planned
    return program, memory


def _moved_once(program: Program, states: Iterable[Buffer]) -> Program:
    for state in states:
        one = _history(program, state)
        if one is not None:
            program = _with_lasting(program, one)
    return program


def _history(program: Program, state: Buffer) -> _History | None:
    """None of what has another form, or shares its joined values with a variable that has become a part."""
    touching = [i for i, call in enumerate(program.calls) if state in (*call.reads, *call.writes)]
    if state.kind != "state" or len(touching) != 2:
        return None
    read, assigned = touching
    new, old = _moved(program.calls[read], state, 0), _moved(program.calls[assigned], state, 1)
    if new not in program.views or old not in program.views:
        return None
    joined, start = program.views[new].root, program.views[old].start
    writers = [i for i, call in enumerate(program.calls) if joined in map(program.whole, call.writes)]
    if program.views[old].root is not joined or joined.kind != "activation" or writers[-1] > assigned:
        return None
    return _History(state, joined, start, writers[0], read, assigned)


def _moved(call: KernelCall, state: Buffer, place: int) -> Buffer | None:
    """The other operand of a move that has the state in this place."""
    if call.function != _MOVE or call.args[place] is not state:
        return None
    other = call.args[1 - place]
    return other if isinstance(other, Buffer) else None


def _with_lasting(program: Program, one: _History) -> Program:
    """The joined values as state, of which the variable is a part."""
    alignment = max(one.state.alignment, one.joined.alignment)
    buffers = [*program.buffers, *program.views]
    name = _unused(f"{one.state.name}_joined", [buffer.name for buffer in buffers])
    lasting = Buffer(name, one.joined.nbytes, DType.UINT8, "state", alignment)
    moved = {
        buffer: View(lasting, view.start) if view.root is one.joined else view
        for buffer, view in program.views.items()
    }
    views = {**moved, one.joined: View(lasting, 0), one.state: View(lasting, one.start)}
    buffers = [lasting if buffer is one.state else buffer for buffer in program.buffers]
    program = replace(
        program, calls=_calls(program, one), views=views,
        buffers=[buffer for buffer in buffers if buffer is not one.joined],
    )  # fmt: skip
    return _with_initial(program, one, lasting)


def _calls(program: Program, one: _History) -> list[KernelCall]:
    """Without the assignment; what is read is moved before anything is written over it."""
    reading = program.calls[one.read]
    rest = [call for i, call in enumerate(program.calls) if i not in (one.read, one.assigned)]
    return [*rest[: one.first], reading, *rest[one.first :]]


def _with_initial(program: Program, one: _History, lasting: Buffer) -> Program:
    """The variable's first values where it lies. A constant of theirs that has another use stays, too."""
    given = program.initial.get(one.state)
    if given is None:
        return program
    values = np.zeros(lasting.nbytes, np.uint8)
    values[one.start : one.start + one.state.nbytes] = given.values
    wider = next((one for one in program.constants if _holds(one, values)), None)
    if wider is None:
        name = _unused(f"{lasting.name}_initial", [constant.name for constant in program.constants])
        wider = replace(given, name=name, values=values)
    initial = {buffer: value for buffer, value in program.initial.items() if buffer is not one.state}
    others = [value for call in program.calls for value in (*call.args, *call.fields.values())]
    used = any(value is given for value in (*initial.values(), *others))
    kept = [one for one in program.constants if one is not wider and (used or one is not given)]
    return replace(program, initial={**initial, lasting: wider}, constants=[*kept, wider])


def _holds(constant: Constant, values: npt.NDArray[np.uint8]) -> bool:
    return constant.values.dtype == values.dtype and np.array_equal(constant.values, values)


def _unused(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "_"
    return name
