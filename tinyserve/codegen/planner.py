"""The memory planner: one arena for inputs, outputs, activations, scratch and state.

A buffer keeps its bytes from the call that first writes it to the last that reads it. Two buffers alive at
one time are disjoint, unless a call's Overlap lets its output lie over an input that dies there. The model's
inputs are alive from before the first call, so that all may be filled, and may be overwritten once read.
"""

from __future__ import annotations

from tinyserve.codegen.packing import Packing, Problem, pack
from tinyserve.codegen.program import Buffer, Lifetime, MemoryPlan, Program


def plan(program: Program) -> MemoryPlan:
    """An offset in the arena for every buffer, with a total that is least or close to it.

    Deterministic and of bounded effort. The plan is checked before it is returned.
    """
    lives = lifetimes(program)
    packing = solve(program, lives)
    result = MemoryPlan(
        offsets=dict(zip(program.buffers, packing.offsets, strict=True)),
        lifetimes=lives,
        arena_bytes=packing.total,
        alignment=max([16, *(buffer.alignment for buffer in program.buffers)]),
    )
    faults = check(program, result)
    if faults:
        raise AssertionError("the memory plan is wrong: " + "; ".join(faults))
    return result


def lifetimes(program: Program) -> dict[Buffer, Lifetime]:
    """When each buffer's bytes must be kept, in calls."""
    after = len(program.calls)
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for buffer in program.inputs:
        first[buffer] = last[buffer] = -1
    for buffer in program.buffers:
        if buffer.kind == "state":
            first[buffer], last[buffer] = -1, after
    for index, call in enumerate(program.calls):
        for buffer in call.writes:
            first.setdefault(buffer, index)
        for buffer in [*call.reads, *call.writes]:
            if buffer not in first:
                raise AssertionError(f"{call.layer}: reads {buffer.name} before anything wrote it")
            last[buffer] = max(last.get(buffer, -1), index)
    for output in program.outputs:
        if isinstance(output, Buffer):
            if output not in first:
                raise AssertionError(f"output {output.name} is never written")
            last[output] = after
    return {buffer: Lifetime(first[buffer], last[buffer]) for buffer in program.buffers}


def leads(program: Program, lives: dict[Buffer, Lifetime]) -> dict[tuple[Buffer, Buffer], int]:
    """For each (output, input) that may share bytes: how many bytes the output must start before the input.

    A permission counts where the input dies at the call that brings the output to life.
    """
    found: dict[tuple[Buffer, Buffer], int] = {}
    for index, call in enumerate(program.calls):
        for overlap in call.overlaps:
            pair = (overlap.output, overlap.input)
            if overlap.output is overlap.input or overlap.in_place:
                continue
            if lives[overlap.input].last == index and lives[overlap.output].first == index:
                found[pair] = max(found.get(pair, overlap.lead_bytes), overlap.lead_bytes)
    return found


def merges(program: Program, lives: dict[Buffer, Lifetime]) -> dict[Buffer, Buffer]:
    """Each output that takes its input's very place, and that input.

    Chains of in-place calls end in one place. Sharing it never costs: the two are never needed apart.
    """
    found: dict[Buffer, Buffer] = {}
    for index, call in enumerate(program.calls):
        for overlap in call.overlaps:
            output, source = overlap.output, overlap.input
            dies_here = lives[source].last == index and lives[output].first == index
            if overlap.in_place and dies_here and output.nbytes <= source.nbytes and output not in found:
                found[output] = found.get(source, source)
    return found


def solve(program: Program, lives: dict[Buffer, Lifetime]) -> Packing:
    """The packing of the program's buffers (offsets in the order of ``program.buffers``)."""
    buffers = program.buffers
    merged = merges(program, lives)
    places = [buffer for buffer in buffers if buffer not in merged]
    number = {buffer: places.index(merged.get(buffer, buffer)) for buffer in buffers}
    sharers = [[buffer for buffer in buffers if merged.get(buffer, buffer) is place] for place in places]
    problem = Problem(
        sizes=[place.nbytes for place in places],
        alignments=[max(buffer.alignment for buffer in sharing) for sharing in sharers],
        born=[min(lives[buffer].first for buffer in sharing) for sharing in sharers],
        dies=[max(lives[buffer].last for buffer in sharing) for sharing in sharers],
        above=[{} for _ in places],
    )
    alive: set[frozenset[int]] = set()
    for time in range(-1, len(program.calls) + 1):
        now = frozenset(p for p in range(len(places)) if problem.born[p] <= time <= problem.dies[p])
        alive.add(now)
        for a in now:
            for b in now - {a}:
                problem.above[a][b] = problem.sizes[a]
    for (output, source), lead in leads(program, lives).items():
        a, b = number[output], number[source]
        if a != b and problem.dies[b] == problem.born[a] == lives[output].first:
            problem.above[a][b] = min(lead, problem.sizes[a])
    problem.cliques = sorted(alive, key=sorted)
    packing = pack(problem)
    return Packing([packing.offsets[number[buffer]] for buffer in buffers], packing.total, packing.bound)


def check(program: Program, plan: MemoryPlan) -> list[str]:
    """What is wrong with a plan, in words; empty for a valid one. Shares no code with the search."""
    faults = []
    lives = lifetimes(program)
    allowed = leads(program, lives)
    in_place = {frozenset((o.input, o.output)) for call in program.calls for o in call.overlaps if o.in_place}
    for buffer in program.buffers:
        offset = plan.offsets[buffer]
        if offset < 0 or offset + buffer.nbytes > plan.arena_bytes:
            faults.append(f"{buffer.name} at {offset} leaves the arena of {plan.arena_bytes} bytes")
        if offset % buffer.alignment or plan.alignment % buffer.alignment:
            faults.append(f"{buffer.name} at {offset} is not aligned to {buffer.alignment}")
    for index, a in enumerate(program.buffers):
        for b in program.buffers[index + 1 :]:
            if lives[a].first > lives[b].last or lives[b].first > lives[a].last:
                continue
            start_a, start_b = plan.offsets[a], plan.offsets[b]
            if start_a + a.nbytes <= start_b or start_b + b.nbytes <= start_a:
                continue
            if start_a == start_b and frozenset((a, b)) in in_place and _meet(lives[a], lives[b]):
                continue
            if (a, b) in allowed and start_a + allowed[a, b] <= start_b:
                continue
            if (b, a) in allowed and start_b + allowed[b, a] <= start_a:
                continue
            faults.append(f"{a.name} at {start_a} and {b.name} at {start_b} are alive together and overlap")
    return faults


def _meet(a: Lifetime, b: Lifetime) -> bool:
    """One dies in the very call that brings the other to life."""
    return a.last == b.first or b.last == a.first
