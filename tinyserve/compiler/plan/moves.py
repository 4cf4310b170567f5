# SPDX-License-Identifier: Apache-2.0
"""Moves: copies of values within the arena that make it smaller.

Kernels that write behind their own reads need their output to start a little below their input. Along a
chain of them these leads add up: values creep down the arena, and its size grows by the sum. A copy back to
the top, which costs an instruction or two per word, takes the sum apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tinyserve.compiler.names import short_name
from tinyserve.compiler.ops.support.move import move
from tinyserve.compiler.plan.packing import EFFORT, Problem, fits, is_refuted, pack
from tinyserve.compiler.plan.planner import lifetimes, plan, problem_of, solve
from tinyserve.compiler.program import (
    Buffer,
    ControlCall,
    KernelCall,
    MemoryPlan,
    Operand,
    Optimize,
    Program,
)

_WORTH = {"ram": 0.002, "balanced": 0.02}  # of the arena: what moves must save
_SPEED_SHARE = 0.004  # bytes moved per multiply-accumulate that "balanced" spends
_MOST_TRIALS = 150
_TRIAL_EFFORT = EFFORT // 20

Move = tuple[int, Buffer]
"""Before which call a buffer is moved."""


def relocate(program: Program, memory: MemoryPlan) -> tuple[Program, MemoryPlan]:
    """The program with the moves that pay for its target's aim, and its plan; the same two where none does.

    "ram" takes as many as the smallest arena needs; "balanced" one, if it costs next to no time.
    """
    optimize: Optimize = program.target.optimize
    if any(isinstance(call, ControlCall) for call in program.calls):
        return program, memory  # what blocks read stays where they look for it
    candidates = _candidates(program)
    if optimize not in _WORTH or not 0 < len(candidates) <= _MOST_TRIALS:
        return program, memory
    best = program, memory
    most = int(memory.arena_bytes * (1 - _WORTH[optimize]))
    if optimize != "ram" and _total(with_moves(program, candidates)) > most:
        return best
    for choose in (_best_single, _fewest) if optimize == "ram" else (_best_single,):
        moved = with_moves(program, choose(program, candidates, most))
        if _total(moved) <= most:
            planned = plan(moved)
            if planned.arena_bytes <= most:
                best, most = (moved, planned), planned.arena_bytes - 1
    return best


def _candidates(program: Program) -> list[Move]:
    """Every place between two calls at which a value that one call wrote waits for a later one."""
    lives = lifetimes(program)
    writers = [buffer for call in program.calls for buffer in call.writes]
    found = []
    for buffer in program.buffers:
        if buffer.kind not in ("activation", "input") or buffer in program.outputs or buffer.alignment < 4:
            continue
        if writers.count(buffer) == (0 if buffer.kind == "input" else 1):
            readers = [index for index, call in enumerate(program.calls) if buffer in call.reads]
            found += [(index, buffer) for index in readers if index > lives[buffer].first]
    return sorted(found, key=lambda move: (move[0], program.buffers.index(move[1])))


def _problem(program: Program, moves: Iterable[Move]) -> Problem:
    moved = with_moves(program, moves)
    return problem_of(moved, lifetimes(moved), moved.buffers)


def _total(moved: Program) -> int:
    return solve(moved, lifetimes(moved), _TRIAL_EFFORT).total


def _fewest(program: Program, candidates: list[Move], most: int) -> list[Move]:
    """Starts from all moves and leaves out, the largest first, what the smallest arena does not need."""
    best = _total(with_moves(program, candidates))
    kept = list(candidates)
    for candidate in sorted(candidates, key=lambda candidate: (-candidate[1].nbytes, candidate[0])):
        fewer = [other for other in kept if other is not candidate]
        if fits(_problem(program, fewer), best, _TRIAL_EFFORT):
            kept = fewer
    return kept


def _best_single(program: Program, candidates: list[Move], most: int) -> list[Move]:
    """The cheap move that saves most, if one leaves at most ``most`` bytes."""
    budget = _SPEED_SHARE * sum(call.macs for call in program.calls)
    best: list[Move] = []
    for candidate in candidates:
        if candidate[1].nbytes <= budget:
            problem = _problem(program, [candidate])
            if not is_refuted(problem, most) and (total := pack(problem, _TRIAL_EFFORT).total) <= most:
                best, most = [candidate], total - 1
    return best


def with_moves(program: Program, moves: Iterable[Move]) -> Program:
    """A copy of the program in which each buffer, from its move on, is another buffer."""
    planned: dict[int, list[Buffer]] = {}
    for index, buffer in moves:
        planned.setdefault(index, []).append(buffer)
    now: dict[Buffer, Buffer] = {}
    buffers, calls = list(program.buffers), []
    for index, call in enumerate(program.calls):
        for buffer in planned.get(index, []):
            source = now.get(buffer, buffer)
            target = replace(buffer, name=f"{buffer.name}_moved_{index}", kind="activation")
            about = f"{source.nbytes} bytes to another place, so that the arena is smaller"
            calls.append(move(source, target, f"move_{short_name(source.name)}", about))
            buffers.append(target)
            now[buffer] = target
        calls.append(_renamed(call, now))
    return replace(program, calls=calls, buffers=buffers)


def _renamed(call: KernelCall, now: dict[Buffer, Buffer]) -> KernelCall:
    """The call with moved buffers where they are now."""

    def at(operand: Operand | None) -> Operand | None:
        return now.get(operand, operand) if isinstance(operand, Buffer) else operand

    return replace(
        call,
        args=[at(arg) for arg in call.args],
        reads=[now.get(buffer, buffer) for buffer in call.reads],
        writes=[now.get(buffer, buffer) for buffer in call.writes],
        overlaps=[
            replace(o, input=now.get(o.input, o.input), output=now.get(o.output, o.output))
            for o in call.overlaps
        ],
    )
