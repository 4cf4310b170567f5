# SPDX-License-Identifier: Apache-2.0
"""Which models a build is given where all of them would take too long.

"cover": the fewest models that together call, on the target, whatever all of them call: each kernel, each of
its variants, each kind of its operands (a buffer, a constant, none), each way of sharing memory that the
planner makes. "dealt": what the cover leaves out, dealt to the builds of the target, so that each model runs
on each core under some compiler and level.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

from tests.sweep.builds import Build
from tests.sweep.cases import Expected
from tests.sweep.compare import Outcome, compile_all
from tests.sweep.overlaps import realized
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.program import Target, every_call

Part = Literal["cover", "dealt", "whole"]
_FILE_COST = 2
"""What a model costs a compiler beside its calls, in calls."""


def features(compiled: Compiled) -> set[Hashable]:
    """What a model has of which another model may have the same."""
    found: set[Hashable] = set(realized(compiled))
    for call in every_call(compiled.program.calls):
        kernel = (call.function, call.variant)
        found.add(kernel)
        found |= {(*kernel, place, type(operand).__name__) for place, operand in enumerate(call.args)}
    return found


def cover(models: Sequence[Compiled], of: Callable[[Compiled], set[Hashable]] = features) -> list[int]:
    """Indices of models that have every feature of all, chosen greedily by what they add for their cost."""
    missing = {index: of(compiled) for index, compiled in enumerate(models)}
    costs = [_FILE_COST + sum(1 for _ in every_call(one.program.calls)) for one in models]
    chosen = []
    while any(missing.values()):
        best = max(missing, key=lambda index: len(missing[index]) / costs[index])
        chosen.append(best)
        new = missing.pop(best)
        missing = {index: rest - new for index, rest in missing.items()}
    return sorted(chosen)


class Chooser:
    """Deals models to builds. Each target's programs are compiled once, whatever its builds are."""

    def __init__(self, models: Sequence[Expected], builds: Sequence[Build]) -> None:
        self._models = models
        self._builds = builds
        self._target: Target | None = None
        self._outcomes: list[Outcome] = []
        self._cover: set[int] = set()

    def part(self, build: Build, part: Part) -> list[Outcome]:
        """The models that a build is given, compiled for it, and those that did not compile."""
        if build.target != self._target:
            self._target, self._outcomes = build.target, compile_all(self._models, build.target)
            compiled = [(index, one.compiled) for index, one in enumerate(self._outcomes) if one.compiled]
            places = cover([program for _, program in compiled]) if part != "whole" else []
            self._cover = {compiled[place][0] for place in places}
        return [one for index, one in enumerate(self._outcomes) if self._given(index, build, part)]

    def _given(self, index: int, build: Build, part: Part) -> bool:
        if part == "whole" or not self._outcomes[index].compiled:
            return True
        if part == "cover":
            return index in self._cover
        same = [one.name for one in self._builds if (one.core, one.target) == (build.core, build.target)]
        return index not in self._cover and index % len(same) == same.index(build.name)
