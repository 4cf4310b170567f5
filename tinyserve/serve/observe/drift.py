# SPDX-License-Identifier: Apache-2.0
"""Whether what a model is asked still looks like the data that it was made with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tinyserve.health import profile
from tinyserve.health.profile import Profile
from tinyserve.health.tally import Tally
from tinyserve.health.verdict import Verdict, judge
from tinyserve.serve.request import Sample
from tinyserve.serve.served import Served

WINDOW = 1000
"""Inferences that a verdict is of: the last that were looked at."""
EVERY_S = 0.1
"""Between two looks: a burst of one client's requests is not the whole window."""


class Drift:
    """Looks at a model's inferences and compares them with its bundle's profile. In one thread."""

    def __init__(self, model: Served, reference: Profile, every_s: float) -> None:
        self._reference = reference
        self._labels = model.labels
        self._every_s = every_s
        self._tally = Tally(model.sha256, model.inputs[0], model.outputs[0], WINDOW)
        self._next_s = 0.0
        self._judged = -1
        self._verdict: Verdict | None = None

    def saw(self, sample: Sample, outputs: Sample, now_s: float) -> None:
        """An inference, at ``now_s`` of a monotonic clock."""
        if now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            self._tally.look(sample[0], outputs[0])

    def verdict(self) -> Verdict:
        """As things stand."""
        if self._verdict is None or self._judged != self._tally.seen:
            self._judged = self._tally.seen
            self._verdict = judge(self._reference, self._tally.counters(), self._labels)
        return self._verdict


def watch(model: Served) -> Drift | None:
    """None for a bundle without a profile, which was converted without representative data.

    Raises FileSystemError and ModelError.
    """
    reference = profile.load(model.made.path)
    if reference is None or not (model.inputs and model.outputs):
        return None
    return Drift(model, reference, EVERY_S)


class DriftMetrics(Collector):
    """The verdicts at the moment they are asked for. A model that was too little seen to tell has none."""

    def __init__(self, watched: Callable[[], Mapping[str, Drift]]) -> None:
        self._watched = watched

    def collect(self) -> Iterator[GaugeMetricFamily]:
        verdicts = {name: drift.verdict() for name, drift in self._watched().items()}
        state = GaugeMetricFamily(
            "tinyserve_drift",
            "1 where inputs or scores are unlike the model's data.",
            labels=["model"],
        )
        looks = GaugeMetricFamily(
            "tinyserve_drift_samples", "Inferences that the verdict is of.", labels=["model"]
        )
        distance = GaugeMetricFamily(
            "tinyserve_drift_psi", "Population stability index, by histogram.", labels=["model", "of"]
        )
        for name, verdict in verdicts.items():
            looks.add_metric([name], verdict.looked_at)
            if verdict.state == "too few":
                continue
            state.add_metric([name], verdict.state == "drift")
            for what, psi in verdict.distances.items():
                distance.add_metric([name, what], psi)
        yield from (state, looks, distance)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()
