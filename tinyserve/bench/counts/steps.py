# SPDX-License-Identifier: Apache-2.0
"""What a step of an inference costs at most: layers are counted one by one on a board's twin, and a step of n
layers takes the most that n of them in a row take."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tinyserve.bench.counts.profiling import Profile

BUDGETS = (1, 2, 3, 4, 8, 16)


class Step(msgspec.Struct, frozen=True):
    """The costliest step of a budget: ``ticks``, its first layer, and how many steps an inference has."""

    budget: int
    steps: int
    ticks: int
    first: int


def worst_steps(profile: Profile, budgets: Sequence[int] = BUDGETS) -> list[Step]:
    """For each budget of layers, up to the first that an inference fits into."""
    ticks = [layer.ticks for layer in profile.layers]
    found = []
    for budget in budgets:
        sums = [(sum(ticks[at : at + budget]), at) for at in range(0, len(ticks), budget)]
        if not sums:
            break
        most, first = max(sums, key=lambda one: (one[0], -one[1]))
        found.append(Step(budget, len(sums), most, first))
        if budget >= len(ticks):
            break
    return found
