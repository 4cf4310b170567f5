# SPDX-License-Identifier: Apache-2.0
"""The members of one model, and what waits for them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tinyserve.errors import TinyserveError
from tinyserve.serve.admission import DEFAULT_PRIORITY, Plan, Refusal, Ticket
from tinyserve.serve.errors import AdmissionError, SequenceError, UnavailableError
from tinyserve.serve.member import Member, Work
from tinyserve.serve.observe.drift import Drift
from tinyserve.serve.observe.observer import Observer
from tinyserve.serve.request import Done, InferRequest, Ran, Sample, SequenceStep
from tinyserve.serve.served import Served

_WORDS = {
    "queue": "the queue is full",
    "deadline": "it can't be done by its deadline",
    "members": "no member serves it",
}


def _bare(member: Member, reason: str) -> str:
    """A reason for a text that names the member already."""
    return reason.removeprefix(f"{member.name}: ")


def _idle(member: Member, taken: Collection[str]) -> str:
    """Why a member without a fault takes nothing."""
    return "has a sequence" if member.name in taken else member.state


@dataclass(eq=False)
class _Waiting:
    """A ticket's sample, and who waits for it."""

    ticket: Ticket
    sample: Sample
    fresh: bool
    future: asyncio.Future[Done]
    plan: Plan


@dataclass
class _Sequence:
    member: str
    used_s: float


class Pool:
    """Takes requests for a model, gives their samples to its members, and tells who asked.

    ``spill``: members that are asked only for what the others can't do in time (this computer). ``cached``:
    answers that are kept, by the input's bytes; 0 for models with state. ``drift``: looks at what
    is computed.
    """

    def __init__(
        self,
        model: Served,
        queue: int,
        timeout_s: float,
        observer: Observer,
        *,
        cached: int = 0,
        idle_s: float = 60.0,
        drift: Drift | None = None,
    ) -> None:
        self.model = model
        self.drift = drift
        self.timeout_s = timeout_s
        self.members: dict[str, Member] = {}
        self.last_inference_s = 0.0
        self._plans = {False: Plan(queue), True: Plan(queue)}
        self._spilling: set[str] = set()
        self._observer = observer
        self._idle_s = idle_s
        self._waiting: dict[Ticket, _Waiting] = {}
        self._running: dict[str, _Waiting] = {}
        self._sequences: dict[str, _Sequence] = {}
        self._cache: OrderedDict[Sample, Done] = OrderedDict()
        self._cached = 0 if model.stateful else cached
        self._number = 0
        self._is_open = True

    @property
    def waiting(self) -> int:
        """Samples that wait."""
        return sum(plan.waiting for plan in self._plans.values())

    @property
    def is_ready(self) -> bool:
        """Whether a member serves."""
        return self._is_open and any(plan.members for plan in self._plans.values())

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits or is computed."""
        return not self._running and not self.waiting

    def add(self, member: Member, *, spill: bool = False) -> None:
        """A member, which was not started yet."""
        self.members[member.name] = member
        if spill:
            self._spilling.add(member.name)

    def shut(self) -> None:
        """Takes nothing more; what was admitted is still done."""
        self._is_open = False

    def abandon(self) -> None:
        """Members are gone: who still waits is told so."""
        for waiting in [*self._waiting.values(), *self._running.values()]:
            if not waiting.future.done():
                waiting.future.set_exception(
                    UnavailableError(f"{self.model.name} was unloaded", reason="unloaded")
                )

    async def infer(self, request: InferRequest) -> list[Done]:
        """The samples' answers, in their order. All are admitted, or none.

        Raises AdmissionError at once where they can't all be on time; UnavailableError where no member
        serves, or one failed and the others can't make it; SequenceError.
        """
        now_s = time.monotonic()
        if not self._is_open:
            raise UnavailableError(f"{self.model.name} is not loaded", reason="unloaded")
        known = self._remembered(request)
        if known is not None:
            return known
        only, fresh = self._place_sequence(request.sequence, now_s)
        waiting = self._tickets(request, only, fresh, now_s)
        try:
            self._admit(waiting)
            done = list(await asyncio.gather(*(one.future for one in waiting)))
        except BaseException:
            self._withdraw(waiting)
            raise
        finally:
            if request.sequence is not None and request.sequence.end:
                self._end_sequence(request.sequence.id)
        if self._cached:
            self._remember(request.samples, done)
        return done

    def _tickets(self, request: InferRequest, only: str, fresh: bool, now_s: float) -> list[_Waiting]:
        timeout_s = min(
            self.timeout_s, request.timeout_s if request.timeout_s is not None else self.timeout_s
        )
        loop = asyncio.get_running_loop()
        found = []
        for index, sample in enumerate(request.samples):
            self._number += 1
            ticket = Ticket(
                self._number, now_s, now_s + timeout_s, request.priority or DEFAULT_PRIORITY, only
            )
            first = fresh and (index == 0 or not only)
            found.append(_Waiting(ticket, sample, first, loop.create_future(), self._plans[False]))
        return found

    def _admit(self, waiting: Sequence[_Waiting]) -> None:
        now_s = time.monotonic()
        tickets = [one.ticket for one in waiting]
        first = self._plans[False].admit(tickets, now_s)
        if first is not None and first.reason == "deadline" and self._renewed():
            first = self._plans[False].admit(tickets, now_s)
        if first is not None:
            second = self._plans[True].admit(tickets, now_s)
            if second is not None:
                is_first = second.reason == "members" or first.retry_after_s < second.retry_after_s
                refusal = first if is_first else second
                self._observer.refused(self.model.name, refusal.reason)
                raise self._refused(refusal)
            for one in waiting:
                one.plan = self._plans[True]
        for one in waiting:
            self._waiting[one.ticket] = one
        self._wake()

    def _renewed(self) -> bool:
        """Takes members at their word of now: what was slow once is forgotten with time. Whether one that
        was reckoned with differs."""
        renewed = [self._plan(one).set_service(one.name, one.bound_s) for one in self.members.values()]
        return any(renewed)

    def _refused(self, refusal: Refusal) -> UnavailableError:
        message = f"{self.model.name}: {_WORDS[refusal.reason]}"
        if refusal.reason == "members":
            taken = {one.member for one in self._sequences.values()}
            reasons = "; ".join(
                f"{one.name}: {_bare(one, one.reason) or _idle(one, taken)}" for one in self.members.values()
            )
            return UnavailableError(
                f"{message} ({reasons})", reason="members", retry_after_s=refusal.retry_after_s
            )
        fastest_s = min((m.bound_s for m in self.members.values() if m.state == "ready"), default=0.0)
        wait_s = refusal.retry_after_s
        hint = f"retry in {wait_s:.3f} s; one inference takes {fastest_s * 1e3:.1f} ms on the fastest member"
        return AdmissionError(message, hint, reason=refusal.reason, retry_after_s=refusal.retry_after_s)

    def _withdraw(self, waiting: Sequence[_Waiting]) -> None:
        """Nobody wants the answers: what waits is not computed."""
        for one in waiting:
            if one.plan.withdraw(one.ticket):
                self._waiting.pop(one.ticket, None)
            if not one.future.done():
                one.future.cancel()
            elif not one.future.cancelled():
                one.future.exception()  # was looked at

    def _wake(self) -> None:
        for name, member in self.members.items():
            if name not in self._running:
                member.wake()

    # What members ask and tell (``member.Feed``).

    def joined(self, member: Member) -> None:
        self._plan(member).join(member.name, member.bound_s)
        self._observer.member_changed(self.model.name, member)

    def next_work(self, member: Member) -> Work | None:
        plan = self._plan(member)
        ticket = plan.take(member.name, time.monotonic())
        if ticket is None:
            return None
        waiting = self._waiting.pop(ticket)
        self._running[member.name] = waiting
        return Work(waiting.sample, waiting.fresh)

    def finished(self, member: Member, ran: Ran) -> None:
        plan = self._plan(member)
        plan.finished(member.name)
        plan.set_service(member.name, member.bound_s)
        waiting = self._running.pop(member.name)
        now_s = time.monotonic()
        queue_s = max(0.0, now_s - waiting.ticket.arrival_s - ran.link_s - ran.compute_s)
        is_late = now_s > waiting.ticket.deadline_s
        done = Done(ran, member.name, member.kind, member.tick_unit, queue_s, is_late)
        self.last_inference_s = time.time()
        self._observer.inferred(self.model.name, done)
        if self.drift is not None:
            self.drift.saw(waiting.sample, ran.outputs, now_s)
        if not waiting.future.done():
            waiting.future.set_result(done)

    def left(self, member: Member, error: TinyserveError) -> None:
        """What it computed and what waits for it goes to others, as far as they can be on time."""
        orphans = self._plan(member).leave(member.name)
        running = self._running.pop(member.name, None)
        self._lose_sequences(member.name)
        self._observer.member_changed(self.model.name, member)
        for ticket in orphans:
            waiting = (
                running if running is not None and running.ticket is ticket else self._waiting.pop(ticket)
            )
            self._move(waiting, member, error)
        self._wake()

    def _move(self, waiting: _Waiting, member: Member, error: TinyserveError) -> None:
        if waiting.future.done():  # nobody wants it any more
            return
        now_s = time.monotonic()
        for plan in self._plans.values():
            if not waiting.ticket.only and plan.admit([waiting.ticket], now_s) is None:
                waiting.plan = plan
                self._waiting[waiting.ticket] = waiting
                self._observer.moved(self.model.name)
                return
        self._observer.refused(self.model.name, "fault")
        waiting.future.set_exception(
            UnavailableError(
                f"{member.name} failed, and no other member can do it in time: "
                f"{_bare(member, error.message)}",
                reason="fault",
            )
        )

    def _plan(self, member: Member) -> Plan:
        return self._plans[member.name in self._spilling]

    # Sequences: each has a member of its own.

    def _place_sequence(self, step: SequenceStep | None, now_s: float) -> tuple[str, bool]:
        """The member that must run it ("": any), and whether its state is set back before."""
        self._expire_sequences(now_s)
        if step is None or not self.model.stateful:
            return "", self.model.stateful
        if step.start:
            self._end_sequence(step.id)
            plan = self._plans[False]
            member = next((name for name in plan.members if plan.reserve(name)), None)
            if member is None:
                self._observer.refused(self.model.name, "sequences")
                raise AdmissionError(
                    f"{self.model.name}: each member that serves has a sequence, or is busy",
                    "end sequences (sequence_end)", reason="sequences", retry_after_s=1.0,
                )  # fmt: skip
            self._sequences[step.id] = _Sequence(member, now_s)
            return member, True
        sequence = self._sequences.get(step.id)
        if sequence is None:
            raise SequenceError(
                f"{self.model.name}: there is no such sequence: it was never begun, has ended, was idle for"
                f" {self._idle_s:g} s, or its member failed",
                "begin it with sequence_start",
            )
        sequence.used_s = now_s
        return sequence.member, False

    def _end_sequence(self, name: str) -> None:
        sequence = self._sequences.pop(name, None)
        if sequence is not None:
            self._plans[False].release(sequence.member)

    def _expire_sequences(self, now_s: float) -> None:
        for name in [n for n, one in self._sequences.items() if now_s - one.used_s > self._idle_s]:
            self._end_sequence(name)

    def _lose_sequences(self, member: str) -> None:
        for name in [name for name, one in self._sequences.items() if one.member == member]:
            del self._sequences[name]

    # Answers that are known.

    def _remembered(self, request: InferRequest) -> list[Done] | None:
        if not self._cached:
            return None
        found = [self._cache.get(sample) for sample in request.samples]
        self._observer.cache(self.model.name, all(one is not None for one in found))
        known = [one for one in found if one is not None]
        if len(known) != len(found):
            return None
        for sample in request.samples:
            self._cache.move_to_end(sample)
        return known

    def _remember(self, samples: Sequence[Sample], done: Sequence[Done]) -> None:
        for sample, one in zip(samples, done, strict=True):
            self._cache[sample] = replace(one, kind="cache", queue_s=0.0, ran=Ran(one.ran.outputs))
        while len(self._cache) > self._cached:
            self._cache.popitem(last=False)
