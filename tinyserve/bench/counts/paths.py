# SPDX-License-Identifier: Apache-2.0
"""What the paths through a pipeline cost, each as often as its conditions took it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyserve.bench.result import Estimate, PathCost, PipelineCost
from tinyserve.bench.scenarios.statistics import Statistics
from tinyserve.bundle import Bundle
from tinyserve.compiler.events import Event
from tinyserve.pipeline.compose import RAN
from tinyserve.pipeline.make import described


@dataclass
class Seen:
    """What was seen of inferences on a device: events, and of a pipeline which nodes ran at what cost.

    ``place``: the number of the output that says who ran; -1 where nothing depends on conditions.
    """

    place: int
    names: list[str]
    inferences: int = 0
    events: list[Event] = field(default_factory=list)
    costs: dict[tuple[int, ...], list[int]] = field(default_factory=dict)

    def add(self, ticks: int, events: Sequence[Event], outputs: Sequence[bytes]) -> None:
        """One inference."""
        self.inferences += 1
        self.events += events
        if self.place >= 0:
            ran = tuple(np.frombuffer(outputs[self.place], "<i4").tolist())
            self.costs.setdefault(ran, []).append(ticks)


def watcher(made: Bundle) -> Seen:
    """For inferences of a bundle's model."""
    found = described(made)
    outputs = [info.name for info in made.manifest.outputs]
    if found is None or RAN not in outputs:
        return Seen(-1, [])
    return Seen(outputs.index(RAN), [node.name for node in found.nodes])


def cost_of(seen: Seen, unit: str, latency: Statistics, energy: Estimate | None) -> PipelineCost | None:
    """The paths that were taken, the most frequent first; None where there is only one."""
    if not seen.costs:
        return None
    paths = [
        PathCost(
            nodes=[name for name, runs in zip(seen.names, ran, strict=True) if runs],
            samples=len(ticks),
            least=float(min(ticks)),
            mean=float(np.mean(ticks)),
            most=float(max(ticks)),
        )
        for ran, ticks in seen.costs.items()
    ]
    mean = float(np.mean([tick for ticks in seen.costs.values() for tick in ticks]))
    return PipelineCost(
        unit=unit,
        samples=seen.inferences,
        paths=sorted(paths, key=lambda path: (-path.samples, path.nodes)),
        mean=mean,
        energy_uj=_scaled(energy, mean / latency.median) if latency.median else None,
    )


def _scaled(energy: Estimate | None, factor: float) -> Estimate | None:
    """Of the average inference, from that of the one that was timed."""
    if energy is None:
        return None
    return Estimate(energy.low * factor, energy.high * factor, energy.unit, energy.model)
