# SPDX-License-Identifier: Apache-2.0
"""What members are doing, at the moment that it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tinyserve.serve.member import Member, State


class MemberStates(Collector):
    """Of the members of loaded models, by the models' names."""

    def __init__(self, members: Callable[[], Mapping[str, Collection[Member]]]) -> None:
        self._members = members

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = GaugeMetricFamily(
            "tinyserve_member_state",
            "1 for the state that a member is in.",
            labels=["model", "member", "state"],
        )
        for model, members in self._members().items():
            for member in members:
                for state in get_args(State):
                    found.add_metric([model, member.name, state], state == member.state)
        yield found

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()
