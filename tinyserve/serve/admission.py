# SPDX-License-Identifier: Apache-2.0
"""Admission: a plan of which member computes what until when. What can't be on time is refused at once.

One plan per model. A ticket (one sample) is put into the lane of the member where it is done first, in the
order of priority and deadline, if it and all that it would delay still make their deadlines; else it is
refused. As long as no member takes longer than it said, nothing that was admitted is late: a lane never
waits for another one, so that what ends early only makes what follows earlier. Times are seconds of one
monotonic clock, which is passed in: nothing here waits or knows an event loop.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

DEFAULT_PRIORITY = 100
"""Of requests that name none; 1 is the most urgent."""


@dataclass(eq=False)
class Ticket:
    """One sample that waits or is computed. ``deadline_s`` is absolute. ``only`` names the member that holds
    the sequence it belongs to: such tickets keep their order, whatever their deadlines."""

    number: int
    arrival_s: float
    deadline_s: float
    priority: int = DEFAULT_PRIORITY
    only: str = ""
    promised_s: float = 0.0
    started_s: float = 0.0

    @property
    def key(self) -> tuple[float, float, int]:
        """The order in a lane."""
        return (-1.0, 0.0, self.number) if self.only else (self.priority, self.deadline_s, self.number)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not taken: "queue" (full), "deadline" (can't be met) or "members" (none is ready).

    ``retry_after_s``: when the same request would be taken, if nothing else came."""

    reason: str
    retry_after_s: float


@dataclass(eq=False)
class Lane:
    """What one member computes and will compute. ``service_s``: the longest that one sample takes it."""

    name: str
    service_s: float
    running: Ticket | None = None
    free_s: float = 0.0
    reserved: bool = False
    waiting: list[Ticket] = field(default_factory=list)

    def begin_s(self, now_s: float) -> float:
        """When it can begin what waits first."""
        return max(now_s, self.free_s) if self.running is not None else now_s

    def end_s(self, now_s: float) -> float:
        """When all that waits is done."""
        return self.begin_s(now_s) + self.service_s * len(self.waiting)

    def finish_s(self, ticket: Ticket, now_s: float) -> float | None:
        """When ``ticket`` would be done here; None where it or one behind it would be late."""
        place = sum(other.key < ticket.key for other in self.waiting)
        begin_s = self.begin_s(now_s)
        done_s = begin_s + self.service_s * (place + 1)
        if done_s > ticket.deadline_s:
            return None
        for index in range(place, len(self.waiting)):
            if begin_s + self.service_s * (index + 2) > self.waiting[index].deadline_s:
                return None
        return done_s

    def put(self, ticket: Ticket) -> None:
        """Adds it in its order."""
        insort(self.waiting, ticket, key=lambda other: other.key)


class Plan:
    """The lanes of a model's members, and what waits in them: at most ``limit`` tickets."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lanes: dict[str, Lane] = {}

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    @property
    def members(self) -> tuple[str, ...]:
        """The members that take part."""
        return tuple(self._lanes)

    def join(self, member: str, service_s: float) -> None:
        """A member is ready; one sample takes it ``service_s`` at most."""
        self._lanes[member] = Lane(member, service_s)

    def leave(self, member: str) -> list[Ticket]:
        """A member is gone. Returns the tickets that it leaves behind, the running one first."""
        lane = self._lanes.pop(member, None)
        if lane is None:
            return []
        return [*([lane.running] if lane.running else []), *lane.waiting]

    def set_service(self, member: str, service_s: float) -> bool:
        """What one sample takes the member at most, from now on; whether that is something else."""
        lane = self._lanes.get(member)
        if lane is None or lane.service_s == service_s:
            return False
        lane.service_s = service_s
        return True

    def reserve(self, member: str) -> bool:
        """Keeps a member for tickets that name it, if nothing else waits there; whether that was so."""
        lane = self._lanes.get(member)
        if lane is None or lane.reserved or lane.waiting or lane.running:
            return False
        lane.reserved = True
        return True

    def release(self, member: str) -> None:
        """The member is for all again."""
        if member in self._lanes:
            self._lanes[member].reserved = False

    def admit(self, tickets: Sequence[Ticket], now_s: float) -> Refusal | None:
        """Takes all of ``tickets`` or none. None: they were taken, and ``promised_s`` of each says when it is
        done at the latest as things stand; it may become later, but not than ``deadline_s``."""
        if not any(self._open_to(lane, ticket) for lane in self._lanes.values() for ticket in tickets[:1]):
            return Refusal("members", 1.0)
        if self.waiting + len(tickets) - len(self._lanes) > self._limit:  # before all are tried
            return Refusal("queue", self._next_end_s(now_s) - now_s)
        taken: list[tuple[Lane, Ticket]] = []
        for ticket in tickets:
            lane = self._place(ticket, now_s)
            if lane is None:
                _take_back(taken)
                return Refusal("deadline", self._retry_after_s(tickets, now_s))
            lane.put(ticket)
            taken.append((lane, ticket))
        if self.waiting - self._begun() > self._limit:
            _take_back(taken)
            return Refusal("queue", self._next_end_s(now_s) - now_s)
        return None

    def _place(self, ticket: Ticket, now_s: float) -> Lane | None:
        """The lane where it is done first."""
        best: Lane | None = None
        for lane in self._lanes.values():
            if not self._open_to(lane, ticket):
                continue
            done_s = lane.finish_s(ticket, now_s)
            if done_s is not None and (best is None or done_s < ticket.promised_s):
                best, ticket.promised_s = lane, done_s
        return best

    def take(self, member: str, now_s: float) -> Ticket | None:
        """What the member, which is idle, computes now: the first of its lane; where that is empty, the
        first of another lane that is done here before it would be there."""
        lane = self._lanes[member]
        ticket = lane.waiting.pop(0) if lane.waiting else self._borrow(lane, now_s)
        if ticket is None:
            return None
        lane.running = ticket
        lane.free_s = now_s + lane.service_s
        ticket.started_s = now_s
        return ticket

    def finished(self, member: str) -> None:
        """The member is idle again."""
        if member in self._lanes:
            self._lanes[member].running = None

    def withdraw(self, ticket: Ticket) -> bool:
        """Nobody wants it any more; whether it still waited."""
        for lane in self._lanes.values():
            if ticket in lane.waiting:
                lane.waiting.remove(ticket)
                return True
        return False

    def _borrow(self, lane: Lane, now_s: float) -> Ticket | None:
        if lane.reserved:
            return None
        done_s = now_s + lane.service_s
        found: tuple[Ticket, Lane] | None = None
        for other in self._lanes.values():
            for ticket, there_s in _forecast(other, now_s):
                earlier = not ticket.only and done_s < there_s and done_s <= ticket.deadline_s
                if earlier and (found is None or ticket.key < found[0].key):
                    found = ticket, other
        if found is None:
            return None
        found[1].waiting.remove(found[0])
        return found[0]

    @staticmethod
    def _open_to(lane: Lane, ticket: Ticket) -> bool:
        return lane.name == ticket.only if ticket.only else not lane.reserved

    def _begun(self) -> int:
        """Tickets that idle members take at once: they do not count as waiting."""
        return sum(lane.running is None and bool(lane.waiting) for lane in self._lanes.values())

    def _next_end_s(self, now_s: float) -> float:
        lanes = self._lanes.values()
        return min(lane.begin_s(now_s) + (0 if lane.running else lane.service_s) for lane in lanes)

    def _retry_after_s(self, tickets: Sequence[Ticket], now_s: float) -> float:
        """How late the last of them would be behind all that waits: by then as much has been worked off.
        Where no member is fast enough even when idle: the longest time, since waiting does not help."""
        open_lanes = [lane for lane in self._lanes.values() if self._open_to(lane, tickets[0])]
        soonest_s = min(ticket.deadline_s for ticket in tickets)
        lanes = [lane for lane in open_lanes if now_s + lane.service_s <= soonest_s] or open_lanes
        ends = {lane.name: lane.end_s(now_s) for lane in lanes}
        worst_s = 0.0
        for ticket in tickets:
            lane = min(lanes, key=lambda one: ends[one.name] + one.service_s)
            ends[lane.name] += lane.service_s
            worst_s = max(worst_s, ends[lane.name] - ticket.deadline_s)
        return max(worst_s, 0.0)


def _take_back(taken: Sequence[tuple[Lane, Ticket]]) -> None:
    for lane, ticket in taken:
        lane.waiting.remove(ticket)


def _forecast(lane: Lane, now_s: float) -> Iterator[tuple[Ticket, float]]:
    """What waits, and when it is done."""
    done_s = lane.begin_s(now_s)
    for ticket in lane.waiting:
        done_s += lane.service_s
        yield ticket, done_s
