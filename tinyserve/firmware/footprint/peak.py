# SPDX-License-Identifier: Apache-2.0
"""Where in an inference the most of the arena is in use."""

from __future__ import annotations

from collections.abc import Iterable

from tinyserve.compiler.program import Buffer, MemoryPlan, Program


def peak_call(program: Program, plan: MemoryPlan) -> tuple[int, int] | None:
    """The kernel call during which the most of the arena is in use, and how many bytes are."""
    used = [
        _covered((plan.offsets[one], plan.offsets[one] + one.nbytes) for one in live(plan, call))
        for call in range(len(program.calls))
    ]
    return max(enumerate(used), key=lambda item: item[1]) if used else None


def live(plan: MemoryPlan, call: int) -> list[Buffer]:
    """The buffers that are in use during a kernel call."""
    return [one for one, life in plan.lifetimes.items() if life.first <= call <= life.last]


def _covered(intervals: Iterable[tuple[int, int]]) -> int:
    """Bytes that the intervals cover: buffers that share bytes (in-place operators) count once."""
    total = reached = 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
