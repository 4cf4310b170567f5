# SPDX-License-Identifier: Apache-2.0
"""What is counted: for /metrics, and for the protocol's statistics."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram

from tinyserve.serve.member import Member
from tinyserve.serve.observe.log import fields_of
from tinyserve.serve.request import Done

_SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0,
)  # fmt: skip
_TIMES = (("queue", "waiting"), ("link", "to and from the member"), ("compute", "computing"))
_log = logging.getLogger(__name__)


@dataclass
class Duration:
    """How often, and how long altogether."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.ns += round(seconds * 1e9)


@dataclass
class Statistics:
    """Of a model, as the protocol's statistics extension has them."""

    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    link: Duration = field(default_factory=Duration)
    compute: Duration = field(default_factory=Duration)
    cache_hit: Duration = field(default_factory=Duration)
    cache_miss: Duration = field(default_factory=Duration)


class Observer:
    """Counts in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.statistics: defaultdict[str, Statistics] = defaultdict(Statistics)
        self._times = {
            name: Histogram(
                f"tinyserve_{name}_seconds", f"Time of a sample: {what}.", ["model"], buckets=_SECONDS,
                registry=self.registry,
            )
            for name, what in _TIMES
        }  # fmt: skip
        self._inferences = self._counter("inferences", "Samples answered.", "model", "member", "ran_on")
        self._refusals = self._counter("refusals", "Requests refused.", "model", "reason")
        self._late = self._counter("late", "Samples answered after their deadline.", "model")
        self._moved = self._counter("moved", "Samples given to another member after a fault.", "model")
        self._events = self._counter("events", "Events of models.", "model", "name", "kind")
        self._lost_events = self._counter("events_lost", "Events that a broker never got.", "reason")
        self._requests = self._counter(
            "requests", "Requests, by protocol and outcome.", "protocol", "outcome"
        )
        self._known: dict[tuple[str, str], tuple[str, str]] = {}
        self._faults = self._counter("member_faults", "Times that a member failed.", "model", "member")

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"tinyserve_{name}", what, list(labels), registry=self.registry)

    def inferred(self, model: str, done: Done) -> None:
        """A sample was answered."""
        found = self.statistics[model]
        for name, seconds, total in (
            ("queue", done.queue_s, found.queue),
            ("link", done.ran.link_s, found.link),
            ("compute", done.ran.compute_s, found.compute),
        ):
            self._times[name].labels(model).observe(seconds)
            total.add(seconds)
        self._inferences.labels(model, done.member, done.kind).inc()
        if done.late:
            self._late.labels(model).inc()

    def answered(self, model: str, protocol: str, seconds: float) -> None:
        """A request was answered with an inference."""
        self.statistics[model].success.add(seconds)
        self._requests.labels(protocol, "ok").inc()

    def failed(self, model: str | None, protocol: str, outcome: str, seconds: float) -> None:
        """A request was answered with an error; ``model`` None where there is none of that name."""
        if model is not None:
            self.statistics[model].fail.add(seconds)
        self._requests.labels(protocol, outcome).inc()

    def refused(self, model: str, reason: str) -> None:
        """A request was not admitted, or lost its member."""
        self._refusals.labels(model, reason).inc()

    def moved(self, model: str) -> None:
        """A sample went from a member that failed to another."""
        self._moved.labels(model).inc()

    def event(self, model: str, name: str, kind: str) -> None:
        """Something happened in an inference, or what it asked for was answered, or failed."""
        self._events.labels(model, name, kind).inc()

    def event_lost(self, reason: str) -> None:
        """An event that will not reach the broker."""
        self._lost_events.labels(reason).inc()

    def cache(self, model: str, hit: bool) -> None:
        """A request was looked up among known answers."""
        found = self.statistics[model]
        (found.cache_hit if hit else found.cache_miss).add(0.0)

    def member_changed(self, model: str, member: Member) -> None:
        """A member's state is another one; a look for a board that is still away is none."""
        found = member.state, member.reason
        if self._known.get((model, member.name)) == found:
            return
        self._known[model, member.name] = found
        if member.state == "broken":
            self._faults.labels(model, member.name).inc()
        level = logging.WARNING if member.state == "broken" else logging.INFO
        fields = fields_of(model=model, member=member.name, state=member.state, reason=member.reason)
        _log.log(level, "member %s", member.state, extra=fields)
