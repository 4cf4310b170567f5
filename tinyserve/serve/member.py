# SPDX-License-Identifier: Apache-2.0
"""A member of the fleet: one task that opens it, feeds it, and opens it again after a fault."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from tinyserve.errors import DeviceError, TinyserveError
from tinyserve.serve.config import Kind, MemberSpec
from tinyserve.serve.engines import Engine, Identity
from tinyserve.serve.estimate import MARGIN, SHARED_MARGIN, ServiceTime
from tinyserve.serve.request import Ran, Sample
from tinyserve.serve.served import Served
from tinyserve.serve.worker import Worker

State = Literal["starting", "ready", "broken", "stopped"]
OpenEngine = Callable[[MemberSpec, Served], Engine]
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_ABSENCE_S = 2.0
"""Between two looks for a board that is not there: plugged in, it serves soon."""
OPEN_TIMEOUT_S = 600.0
LOOK_S = 1.0
"""Between two looks whether a member is still there."""
CLOSE_S = 10.0
"""How long a port that is being closed is waited for."""
STEADY_S = 60.0
"""What a member must have served without a fault for the pauses to begin again at the first."""


@dataclass(frozen=True)
class Work:
    """One inference that a member is to do."""

    sample: Sample
    fresh: bool


class Feed(Protocol):
    """Where a member gets its work: its model's pool."""

    def joined(self, member: Member) -> None: ...
    def left(self, member: Member, error: TinyserveError) -> None: ...
    def next_work(self, member: Member) -> Work | None: ...
    def finished(self, member: Member, ran: Ran) -> None: ...


class Member:
    """``state`` "broken" is an open circuit breaker: ``reason`` says why, and ``retry_at_s`` (of the
    monotonic clock) when it is tried again. A fault gives what it computed to other members."""

    def __init__(self, spec: MemberSpec, model: Served, feed: Feed, open_engine: OpenEngine) -> None:
        self.spec = spec
        self.model = model
        self.state: State = "starting"
        self.reason = ""
        self.retry_at_s = 0.0
        self.identity: Identity | None = None
        self.service = ServiceTime([0.0], time.monotonic())
        self.inferences = 0
        self.faults = 0
        self._last_fault = ""
        self._feed = feed
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._opened: list[Engine] = []
        self._wake = asyncio.Event()
        self._reset = asyncio.Event()
        self._is_leaving = False
        self._absence = ""
        self._watching: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._closing: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def kind(self) -> Kind:
        """Where it computes."""
        return self.spec.kind

    @property
    def bound_s(self) -> float:
        """What an inference takes it at most, as things stand."""
        return self.service.bound_s(time.monotonic())

    @property
    def tick_unit(self) -> str:
        return self.identity.tick_unit if self.identity else ""

    def start(self) -> None:
        """Begins to open it, in the running event loop."""
        self._is_leaving = False
        self.state = "starting"
        self._task = asyncio.create_task(self._live(), name=f"member {self.name}")

    def wake(self) -> None:
        """There may be work."""
        self._wake.set()

    def reset(self) -> None:
        """Closes the breaker: a broken member is opened at once, one that serves is opened anew."""
        self._reset.set()
        self._wake.set()

    async def leave(self) -> None:
        """Ends it after what it computes; what waits for it goes to others. Its port is free afterwards."""
        if self._task is not None and self.state == "ready":
            self._is_leaving = True
            self._wake.set()
            await asyncio.wait([self._task])
        await self.stop()
        if self._closing is not None:
            await asyncio.to_thread(self._closing.join, CLOSE_S)

    async def stop(self) -> None:
        """Ends it; what it computes is not waited for."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._close()
        self.state = "stopped"

    async def _live(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            begin_s = time.monotonic()
            try:
                await self._open()
                await self._serve()
                if self._is_leaving:
                    return
                pause_s = FIRST_PAUSE_S  # it was reset
                continue
            except TinyserveError as error:
                fault = error
            except asyncio.TimeoutError:
                if self._engine is not None:
                    self._engine.interrupt()
                fault = DeviceError(f"{self.name}: does not come to an end", "reset the board")
            except Exception as error:  # a driver's or an emulator's: the others go on
                fault = DeviceError(f"{self.name}: {type(error).__name__}: {error}")
            was_absent = self.state == "starting"
            self._break(fault)
            if self._is_leaving:
                return
            if time.monotonic() - begin_s > STEADY_S:
                pause_s = FIRST_PAUSE_S
            await self._pause(
                min(pause_s, LONGEST_ABSENCE_S) if was_absent and self.kind == "board" else pause_s
            )
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _open(self) -> None:
        self.state = "starting"
        self._worker = Worker(self.name)
        self._opened = opened = []
        await self._worker.call(
            lambda: opened.append(self._open_engine(self.spec, self.model)), OPEN_TIMEOUT_S
        )
        self._engine = engine = opened[0]
        self.identity = engine.identity
        margin = MARGIN if self.kind == "board" else SHARED_MARGIN
        self.service = ServiceTime(engine.timed_s, time.monotonic(), margin)
        self.state, self.reason = "ready", ""
        self._absence = ""
        self._watching = asyncio.create_task(self._watch(engine))
        self._feed.joined(self)

    async def _serve(self) -> None:
        """Until the member fails, which raises, or is reset."""
        assert self._engine is not None
        while not self._reset.is_set() and not self._is_leaving:
            if self._absence:
                raise DeviceError(self._absence)
            work = self._feed.next_work(self)
            if work is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            begin_s = time.monotonic()
            ran = await self._compute(self._engine, work)
            end_s = time.monotonic()
            self.service.saw(end_s - begin_s, end_s)
            self.inferences += 1
            self._feed.finished(self, ran)
        self._reset.clear()
        self.state = "stopped" if self._is_leaving else "starting"
        why = "is being replaced" if self._is_leaving else "was reset"
        self._feed.left(self, DeviceError(f"{self.name}: {why}"))
        self._close()

    async def _watch(self, engine: Engine) -> None:
        """A member that nobody asks anything is missed, too."""
        while not self._absence:
            await asyncio.sleep(LOOK_S)
            self._absence = engine.absence()
        self._wake.set()

    async def _compute(self, engine: Engine, work: Work) -> Ran:
        if engine.inline:
            ran = engine.run(work.sample, work.fresh)
            await asyncio.sleep(0)  # others' turn
            return ran
        assert self._worker is not None
        ran = await self._worker.call(lambda: engine.run(work.sample, work.fresh), 10.0 + 20 * self.bound_s)
        await self._verify(work, ran)
        return ran

    async def _verify(self, work: Work, ran: Ran) -> None:
        """A share of a device's answers is computed here, too: memory fails without a word."""
        if self.model.stateful or random.random() >= self.spec.verify:
            return
        expected = await asyncio.to_thread(self.model.expected, work.sample)
        if not self.model.agrees(ran.outputs, expected):
            raise DeviceError(f"{self.name}: its answer differs from this computer's", "flash it anew")

    def _break(self, fault: TinyserveError) -> None:
        if (
            self.state == "ready" or fault.message != self._last_fault
        ):  # not each look for a board that is away
            self.faults += 1
        self.state, self.reason = "broken", fault.message
        self._last_fault = fault.message
        self._feed.left(self, fault)
        self._close()

    async def _pause(self, pause_s: float) -> None:
        self.retry_at_s = time.monotonic() + pause_s
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._reset.wait(), pause_s)
        self._reset.clear()

    def _close(self) -> None:
        """In its thread, also what is being opened there still; what hangs is left to itself."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        if self._worker is not None:
            opened, self._engine = self._opened, None
            self._worker.stop(lambda: [engine.close() for engine in opened])
            self._worker, self._closing = None, self._worker
