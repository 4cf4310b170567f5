# SPDX-License-Identifier: Apache-2.0
"""Which ways of sharing memory within one call a set of models brings about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.support.differential import Case
from tests.sweep.cases import made
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.program import MemoryPlan, Overlap, Target, every_call


class Sharing(NamedTuple):
    """A kernel whose output lies over one of its inputs: right on it, before it, or starting within it."""

    function: str
    kind: str


def realized(compiled: Compiled) -> set[Sharing]:
    """What the plan of a model's main graph does."""
    found = set()
    for call in every_call(compiled.program.calls):
        for overlap in call.overlaps:
            kind = _kind(compiled.plan, overlap)
            if kind:
                found.add(Sharing(call.function, kind))
    return found


def _kind(plan: MemoryPlan, overlap: Overlap) -> str:
    if overlap.input not in plan.offsets or overlap.output not in plan.offsets:
        return ""
    input, output = plan.offsets[overlap.input], plan.offsets[overlap.output]
    if output >= input + overlap.input.nbytes or input >= output + overlap.output.nbytes:
        return ""
    return "on" if input == output else "before" if output < input else "within"


def permitted(compiled: Compiled) -> set[str]:
    """The kernels of a model whose output may lie over an input."""
    return {call.function for call in every_call(compiled.program.calls) if call.overlaps}


def chosen(kinds: Sequence[str], seeds: int, target: Target) -> list[Case]:
    """Cases that bring about whatever the cases of these kinds and seeds do; none that adds nothing."""
    found: set[Sharing] = set()
    cases = []
    for seed in range(seeds):
        for kind in kinds:
            case = made(kind, seed)
            new = realized(compile_model(case.model, target, "m")) - found
            if new:
                found |= new
                cases.append(case)
    return cases
