# SPDX-License-Identifier: Apache-2.0
"""The memory planner: one arena for inputs, outputs, activations, scratch and state.

A buffer keeps its bytes from the call that first writes it to the last that reads it. Two buffers alive at
one time are disjoint, unless a call's Overlap lets its output lie over an input that dies there. The model's
inputs are alive from before the first call, so that all may be filled, and may be overwritten once read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyserve.compiler.plan.packing import EFFORT, Packing, Problem, pack
from tinyserve.compiler.program import Buffer, Lifetime, MemoryPlan, Overlap, Program, View


def plan(program: Program, effort: int = EFFORT) -> MemoryPlan:
    """An offset in the arena for every buffer, with a total that is least or close to it.

    Deterministic and of bounded ``effort``. The plan is checked before it is returned.
    """
    lives = lifetimes(program)
    packing = solve(program, lives, effort)
    offsets = dict(zip(program.buffers, packing.offsets, strict=True))
    result = MemoryPlan(
        offsets=offsets | _offsets_of_views(program.views, offsets),
        lifetimes=lives,
        arena_bytes=packing.total,
        alignment=max([16, *(buffer.alignment for buffer in program.buffers)]),
        views=program.views,
    )
    faults = check(program, result)
    if faults:
        raise AssertionError("the memory plan is wrong: " + "; ".join(faults))
    return result


def _offsets_of_views(views: dict[Buffer, View], offsets: dict[Buffer, int]) -> dict[Buffer, int]:
    return {buffer: offsets[view.root] + view.start for buffer, view in views.items()}


def lifetimes(program: Program) -> dict[Buffer, Lifetime]:
    """When each buffer's bytes must be kept, in calls. Views live as long as what they are parts of."""
    after = len(program.calls)
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for buffer in program.inputs:
        first[buffer] = last[buffer] = -1
    for buffer in program.buffers:
        if buffer.kind == "state":
            first[buffer], last[buffer] = -1, after
    for index, call in enumerate(program.calls):
        for buffer in map(program.whole, call.writes):
            first.setdefault(buffer, index)
        for buffer in map(program.whole, [*call.reads, *call.writes]):
            if buffer not in first:
                raise AssertionError(f"{call.layer}: reads {buffer.name} before anything wrote it")
            last[buffer] = max(last.get(buffer, -1), index)
    for output in program.outputs:
        if isinstance(output, Buffer):
            if output not in first:
                raise AssertionError(f"output {output.name} is never written")
            last[output] = after
            if any(call.continues for call in program.calls):
                first[output] = -1  # where an inference ends early, the outputs of the last whole one stay
    known = {buffer: Lifetime(first[buffer], last[buffer]) for buffer in program.buffers}
    return known | {buffer: known[view.root] for buffer, view in program.views.items()}


def permissions(program: Program, lives: dict[Buffer, Lifetime]) -> dict[tuple[Buffer, Buffer], Overlap]:
    """For each (output, input) that may share bytes: how.

    A permission counts where the input dies at the call that brings the output to life, or, where it is
    timed, where no other call needs both. None counts of what is a part of another buffer, or of which the
    call reads parts, too.
    """
    found: dict[tuple[Buffer, Buffer], Overlap] = {}
    for index, call in enumerate(program.calls):
        viewed = {program.whole(buffer) for buffer in call.reads if buffer in program.views}
        for overlap in call.overlaps:
            pair = (overlap.output, overlap.input)
            if any(buffer in program.views or buffer in viewed for buffer in pair):
                continue
            if overlap.output is overlap.input or not _counts(overlap, index, lives):
                continue
            if pair not in found or _strictness(overlap) > _strictness(found[pair]):
                found[pair] = overlap
    return found


def _counts(overlap: Overlap, index: int, lives: dict[Buffer, Lifetime]) -> bool:
    """Whether a permission of a call holds for the whole lives of the two."""
    input, output = lives[overlap.input], lives[overlap.output]
    if overlap.timed:
        return max(input.first, output.first) == index == min(input.last, output.last)
    return input.last == index == output.first


def _strictness(overlap: Overlap) -> tuple[bool, int]:
    """Where a call's operands repeat (x + x), the stricter permission holds."""
    return overlap.in_place, overlap.lead_bytes


def plan_apart(program: Program, apart: Sequence[Buffer]) -> MemoryPlan:
    """A plan whose first bytes are scratch that other models may use between this one's inferences, and
    behind it the buffers that must outlive those: ``apart``, in their order. ``shift`` moves the latter."""
    lives = lifetimes(program)
    rest = [buffer for buffer in program.buffers if buffer not in set(apart)]
    packing = solve(program, lives, buffers=rest)
    offsets = dict(zip(rest, packing.offsets, strict=True))
    alignment = max([16, *(buffer.alignment for buffer in program.buffers)])
    after = len(program.calls)
    lives |= {buffer: Lifetime(-1, after) for buffer in apart}
    memory = MemoryPlan(offsets, lives, packing.total, alignment, views=program.views)
    return shift(memory, apart, packing.total)


def shift(memory: MemoryPlan, apart: Sequence[Buffer], start: int) -> MemoryPlan:
    """The same plan with the buffers ``apart`` one after the other from ``start`` on, behind all others."""
    offsets = dict(memory.offsets)
    for buffer in apart:
        start = -(-start // buffer.alignment) * buffer.alignment
        offsets[buffer] = start
        start += buffer.nbytes
    offsets |= _offsets_of_views(memory.views, offsets)
    return MemoryPlan(offsets, memory.lifetimes, start, memory.alignment, views=memory.views)


def solve(
    program: Program,
    lives: dict[Buffer, Lifetime],
    effort: int = EFFORT,
    buffers: Sequence[Buffer] | None = None,
) -> Packing:
    """The packing of the program's buffers, or of those named (offsets in their order)."""
    return pack(problem_of(program, lives, program.buffers if buffers is None else buffers), effort)


def problem_of(program: Program, lives: dict[Buffer, Lifetime], buffers: Sequence[Buffer]) -> Problem:
    """The packing problem of these buffers, in their order."""
    number = {buffer: index for index, buffer in enumerate(buffers)}
    problem = Problem(
        sizes=[buffer.nbytes for buffer in buffers],
        alignments=[buffer.alignment for buffer in buffers],
        born=[lives[buffer].first for buffer in buffers],
        dies=[lives[buffer].last for buffer in buffers],
        above=[{} for _ in buffers],
        together=[set() for _ in buffers],
    )
    alive: set[frozenset[int]] = set()
    before: frozenset[int] = frozenset()
    for now in _moments(problem, len(program.calls)):
        alive.add(now)
        _keep_apart(problem, now, now - before)
        before = now
    for (output, source), overlap in permissions(program, lives).items():
        if output not in number or source not in number:
            continue
        a, b = number[output], number[source]
        if overlap.in_place:
            problem.together[a].add(b)
            problem.together[b].add(a)
        else:
            problem.above[a][b] = min(overlap.lead_bytes, problem.sizes[a])
    problem.cliques = sorted(alive, key=sorted)
    return problem


def _moments(problem: Problem, after: int) -> Iterator[frozenset[int]]:
    """The pieces that are needed at each call, before the first (-1) and ``after`` the last."""
    born_at: dict[int, list[int]] = {}
    for piece, born in enumerate(problem.born):
        born_at.setdefault(born, []).append(piece)
    now: list[int] = []
    for time in range(-1, after + 1):
        now = sorted([*(p for p in now if problem.dies[p] >= time), *born_at.get(time, ())])
        yield frozenset(now)


def _keep_apart(problem: Problem, now: frozenset[int], fresh: frozenset[int]) -> None:
    """Notes of the ``fresh`` pieces that they are needed with all of ``now``: the others know each other."""
    for a in now if fresh else ():
        for b in now - {a} if a in fresh or len(fresh) > 1 else fresh:
            problem.above[a][b] = problem.sizes[a]


def check(program: Program, plan: MemoryPlan) -> list[str]:
    """What is wrong with a plan, in words; empty for a valid one. Knows nothing of the search."""
    faults = []
    lives = lifetimes(program)
    allowed = permissions(program, lives)
    for buffer in program.buffers:
        offset = plan.offsets[buffer]
        if offset < 0 or offset + buffer.nbytes > plan.arena_bytes:
            faults.append(f"{buffer.name} at {offset} leaves the arena of {plan.arena_bytes} bytes")
        if offset % buffer.alignment or plan.alignment % buffer.alignment:
            faults.append(f"{buffer.name} at {offset} is not aligned to {buffer.alignment}")
        if plan.parts and plan.offset(buffer) + buffer.nbytes > plan.parts[plan.part(buffer)].nbytes:
            faults.append(f"{buffer.name} at {offset} leaves its part of the arena")
    for index, a in enumerate(program.buffers):
        for b in program.buffers[index + 1 :]:
            if lives[a].first > lives[b].last or lives[b].first > lives[a].last:
                continue
            start_a, start_b = plan.offsets[a], plan.offsets[b]
            if start_a + a.nbytes <= start_b or start_b + b.nbytes <= start_a:
                continue
            if _permits(allowed.get((a, b)), start_a, start_b) or _permits(
                allowed.get((b, a)), start_b, start_a
            ):
                continue
            faults.append(f"{a.name} at {start_a} and {b.name} at {start_b} are alive together and overlap")
    return faults


def _permits(overlap: Overlap | None, output: int, source: int) -> bool:
    """Whether an output may lie at an offset over its input at another."""
    if overlap is None:
        return False
    return output == source if overlap.in_place else output + overlap.lead_bytes <= source
