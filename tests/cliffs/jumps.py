# SPDX-License-Identifier: Apache-2.0
"""How much more a layer takes than its neighbours, and than the kernels that it could have had.

Instructions are compared per unit of work: a product, and what outputs and inputs take whatever the filter
is. So a filter of one tap may take more per product than one of three, but not a layer whose last channel
has another factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cliffs.counting import Column, Counted, count, offers
from tests.cliffs.layers import Layer, draw, neighbours
from tests.compiler.ops.generate import Random
from tinyserve import boards, workflow

JUMP = 2.0
"""Instructions per unit of work that neighbours may differ by: integers, of which a core does several at a
time; floats may by twice as much."""
SLOWER = 1.5
"""Times the cheapest kernel's instructions that the chosen one's may be."""
_OUTPUT, _INPUT, _LAYER = 8.0, 4.0, 500.0
_SMALL = 4000  # instructions, below which calls and set-up are all


@dataclass(frozen=True)
class Jump:
    """Two neighbours, the faster first."""

    fast: Counted
    slow: Counted

    @property
    def size(self) -> float:
        difference = per_work(self.slow) - per_work(self.fast)
        return difference / 2 if "float32" in vars(self.slow.layer).values() else difference

    def __str__(self) -> str:
        changed = [
            f"{name} {getattr(self.fast.layer, name)} -> {value}"
            for name, value in vars(self.slow.layer).items()
            if getattr(self.fast.layer, name) != value
        ]
        kernels = f"[{self.fast.kernels}] -> [{self.slow.kernels}]"
        return f"{self.size:.2f}: {', '.join(changed)} of {self.fast.layer}, {kernels} {self.slow.reason}"


def per_work(counted: Counted) -> float:
    work = counted.units + _OUTPUT * counted.outputs + _INPUT * counted.inputs + _LAYER
    return counted.instructions / work


def pairs(kinds: Iterable[type[Layer]], each: int, near: int, seed: int) -> list[tuple[Layer, Layer]]:
    """Layers of every kind with some of their neighbours."""
    found = []
    for kind in kinds:
        r = Random(seed, 187)
        for _ in range(each):
            layer = draw(kind, r)
            around = list(neighbours(layer))
            found += [(layer, around[index]) for index in r.rng.permutation(len(around))[:near]]
    return found


def jumps(
    chosen: Sequence[tuple[Layer, Layer]], column: Column, directory: Path, jobs: int = 1
) -> list[Jump]:
    """The largest first. Without those of floats that the core has no instructions for: they take a hundred
    instructions an operation, wherever it stands."""
    soft = not {"fpu", "mve"} & workflow.target(boards.load(column.core), "balanced").features
    chosen = [pair for pair in chosen if not (soft and "float32" in vars(pair[0]).values())]
    counted = count([layer for pair in chosen for layer in pair], column, directory, jobs)
    both = [(counted[a], counted[b]) for a, b in chosen if a in counted and b in counted]
    found = [Jump(*sorted(pair, key=per_work)) for pair in both]
    return sorted(found, key=lambda jump: -jump.size)


@dataclass(frozen=True)
class Choice:
    """A layer with what each of its kernels takes; the chosen one is first."""

    layer: Layer
    instructions: Mapping[str, int]

    @property
    def ratio(self) -> float:
        """The chosen kernel's instructions over the cheapest one's."""
        taken = next(iter(self.instructions.values()))
        return taken / min(self.instructions.values()) if taken > _SMALL else 1.0

    def __str__(self) -> str:
        return f"{self.ratio:.2f}: {dict(self.instructions)} of {self.layer}"


def choices(layers: Sequence[Layer], column: Column, directory: Path, jobs: int = 1) -> list[Choice]:
    """Of layers that can have several kernels, the worst choice first."""
    by_layer = {layer: offers(layer, column) for layer in layers}
    counted: dict[str, dict[Layer, Counted]] = {}
    for variant in dict.fromkeys(name for names in by_layer.values() for name in names):
        able = [layer for layer, names in by_layer.items() if variant in names]
        counted[variant] = count(able, column, directory, jobs, variant)
    found = [
        Choice(layer, {name: counted[name][layer].instructions for name in names if layer in counted[name]})
        for layer, names in by_layer.items()
        if len(names) > 1
    ]
    return sorted(found, key=lambda choice: -choice.ratio)
