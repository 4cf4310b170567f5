# SPDX-License-Identifier: Apache-2.0
"""The plan keeps its word, whatever comes in whatever order: tried with a simulated clock."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tinyserve.serve.admission import Plan, Refusal, Ticket

TIMES = st.floats(0, 10, allow_nan=False, width=32)


@dataclass(frozen=True)
class Arrival:
    """A request: when it comes, how long it may take, its priority, its samples."""

    at_s: float
    timeout_s: float
    priority: int
    samples: int


ARRIVALS = st.lists(
    st.builds(Arrival, TIMES, st.floats(0, 5, width=32), st.integers(1, 3), st.integers(1, 4)), max_size=30
)
SERVICES = st.lists(st.floats(0.0625, 2, width=32), min_size=1, max_size=4)


@dataclass
class Simulation:
    """Members that take the share ``pace`` of what they said, one after the other from a list."""

    services: list[float]
    limit: int
    paces: list[float]
    done: dict[Ticket, float] = field(default_factory=dict)
    begun: list[Ticket] = field(default_factory=list)
    admitted: list[Ticket] = field(default_factory=list)
    most_waiting: int = 0

    def run(self, arrivals: list[Arrival]) -> list[Refusal]:
        plan = Plan(self.limit)
        for index, service_s in enumerate(self.services):
            plan.join(str(index), service_s)
        events: list[tuple[float, int, str, object]] = []
        for number, arrival in enumerate(arrivals):
            heapq.heappush(events, (arrival.at_s, number, "arrive", arrival))
        busy: set[str] = set()
        refusals = []
        count = len(arrivals)
        while events:
            now_s, _, kind, what = heapq.heappop(events)
            if kind == "arrive":
                assert isinstance(what, Arrival)
                tickets = [
                    Ticket(count + i, now_s, now_s + what.timeout_s, what.priority)
                    for i in range(what.samples)
                ]
                count += len(tickets)
                before = plan.waiting
                refusal = plan.admit(tickets, now_s)
                if refusal is None:
                    self.admitted += tickets
                else:
                    assert plan.waiting == before and refusal.retry_after_s >= 0
                    refusals.append(refusal)
            else:
                name, ticket = what  # type: ignore[misc]
                assert ticket not in self.done
                self.done[ticket] = now_s
                plan.finished(name)
                busy.discard(name)
            for index, service_s in enumerate(self.services):
                name = str(index)
                if name not in busy and (taken := plan.take(name, now_s)) is not None:
                    busy.add(name)
                    self.begun.append(taken)
                    pace = self.paces[len(self.begun) % len(self.paces)]
                    count += 1
                    heapq.heappush(events, (now_s + service_s * pace, count, "done", (name, taken)))
            self.most_waiting = max(self.most_waiting, plan.waiting)
        return refusals


@given(ARRIVALS, SERVICES, st.integers(1, 8), st.lists(st.floats(0.125, 1, width=32), min_size=1, max_size=5))
def test_what_is_admitted_is_done_once_and_in_time(
    arrivals: list[Arrival], services: list[float], limit: int, paces: list[float]
) -> None:
    simulation = Simulation(services, limit, paces)
    simulation.run(arrivals)
    assert sorted(t.number for t in simulation.done) == sorted(t.number for t in simulation.admitted)
    assert len(simulation.begun) == len(set(simulation.begun))
    assert simulation.most_waiting <= limit
    for ticket, done_s in simulation.done.items():
        assert done_s <= ticket.deadline_s + 1e-9


@given(st.lists(st.floats(0.5, 8, width=32), min_size=1, max_size=5))
def test_one_member_refuses_only_what_no_order_makes(deadlines: list[float]) -> None:
    """All at time 0, a second each, no limit: refused is the first one that no order of all so far would
    do."""
    plan = Plan(100)
    plan.join("one", 1.0)
    taken: list[float] = []
    for number, deadline_s in enumerate(deadlines):
        refusal = plan.admit([Ticket(number, 0.0, deadline_s)], 0.0)
        feasible = any(
            all(place + 1 <= deadline for place, deadline in enumerate(order))
            for order in permutations([*taken, deadline_s])
        )
        assert (refusal is None) == feasible
        if refusal is None:
            taken.append(deadline_s)


@given(ARRIVALS, SERVICES)
def test_a_refused_deadline_would_be_taken_after_the_time_that_it_is_given(
    arrivals: list[Arrival], services: list[float]
) -> None:
    plan = Plan(1000)
    for index, service_s in enumerate(services):
        plan.join(str(index), service_s)
    fastest_s = min(services)
    for number, arrival in enumerate(sorted(arrivals, key=lambda one: one.at_s)):
        ticket = Ticket(number, 0.0, arrival.timeout_s)
        refusal = plan.admit([ticket], 0.0)
        if refusal is None or arrival.timeout_s < fastest_s:
            continue
        assert refusal.reason == "deadline"
        later_s = refusal.retry_after_s
        # What waits goes on meanwhile: by then so much less of it is left.
        lanes = [(end - later_s, service) for end, service in _ends(plan, services)]
        assert any(max(left, 0.0) + service <= arrival.timeout_s + 1e-6 for left, service in lanes)


def _ends(plan: Plan, services: list[float]) -> list[tuple[float, float]]:
    return [(plan._lanes[str(i)].end_s(0.0), service_s) for i, service_s in enumerate(services)]


def test_more_urgent_requests_go_first_but_make_nothing_late() -> None:
    plan = Plan(10)
    plan.join("one", 1.0)
    relaxed, tight, urgent = Ticket(1, 0, 9.0), Ticket(2, 0, 3.0, 1), Ticket(3, 0, 9.0, 1)
    assert (
        plan.admit([relaxed], 0) is None
        and plan.admit([tight], 0) is None
        and plan.admit([urgent], 0) is None
    )
    order = []
    for second in range(3):
        ticket = plan.take("one", float(second))
        order.append(ticket)
        plan.finished("one")
    assert order == [tight, urgent, relaxed]


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    plan = Plan(10)
    plan.join("one", 1.0)
    refusal = plan.admit([Ticket(number, 0, 2.5) for number in range(3)], 0)
    assert refusal == Refusal("deadline", 0.5) and plan.waiting == 0


def test_a_batch_is_split_over_members() -> None:
    plan = Plan(10)
    plan.join("one", 1.0)
    plan.join("two", 1.0)
    assert plan.admit([Ticket(number, 0, 2.0) for number in range(4)], 0) is None


def test_the_queue_is_bounded() -> None:
    plan = Plan(2)
    plan.join("one", 1.0)
    assert plan.admit([Ticket(0, 0, 100)], 0) is None and plan.take("one", 0) is not None
    refusals = [plan.admit([Ticket(number, 0, 100)], 0) for number in range(1, 4)]
    assert refusals == [None, None, Refusal("queue", 1.0)]


def test_a_member_that_leaves_leaves_its_tickets() -> None:
    plan = Plan(10)
    plan.join("one", 1.0)
    tickets = [Ticket(number, 0, 100) for number in range(3)]
    assert plan.admit(tickets, 0) is None
    assert plan.take("one", 0) is tickets[0]
    assert plan.leave("one") == tickets
    assert plan.admit(tickets[:1], 0) == Refusal("members", 1.0)


def test_a_sequence_keeps_its_order_on_its_member_and_others_keep_away() -> None:
    plan = Plan(10)
    plan.join("one", 1.0)
    plan.join("two", 1.0)
    assert plan.reserve("one") and not plan.reserve("one")
    steps = [Ticket(1, 0, 100, only="one"), Ticket(2, 0, 50, only="one")]
    others = [Ticket(3, 0, 3), Ticket(4, 0, 3)]
    assert plan.admit(steps, 0) is None and plan.admit(others, 0) is None
    assert [plan.take("one", 0), plan.take("two", 0)] == [steps[0], others[0]]
    plan.finished("one")
    assert plan.take("one", 1) is steps[1]
    plan.finished("one")
    assert plan.take("one", 2) is None
    plan.release("one")
    assert plan.admit([Ticket(5, 2, 3.5)], 2) is None
    assert plan.take("one", 2) is not None
