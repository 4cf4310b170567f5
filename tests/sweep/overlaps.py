# SPDX-License-Identifier: Apache-2.0
"""Which ways of sharing memory within one call a model brings about."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.program import MemoryPlan, Overlap, every_call


class Sharing(NamedTuple):
    """A kernel whose output lies over one of its inputs: right on it, before it, or starting within it."""

    function: str
    kind: str


def realized(compiled: Compiled) -> set[Hashable]:
    """What the plan of a model's main graph does."""
    found: set[Hashable] = set()
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
