# SPDX-License-Identifier: Apache-2.0
"""The fleet as the protocols see it: models by name, loaded and unloaded, and inferences on their members."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from tinyserve.errors import TinyserveError
from tinyserve.progress import Progress, silent
from tinyserve.serve import served
from tinyserve.serve.config import FleetConfig, MemberSpec, ModelTable
from tinyserve.serve.engines import Firmwares, open_engine
from tinyserve.serve.errors import NotFoundError, RequestError, TooLargeError, UnavailableError
from tinyserve.serve.events import happened
from tinyserve.serve.events.escalation import Escalation
from tinyserve.serve.events.hub import Hub
from tinyserve.serve.member import Member, OpenEngine
from tinyserve.serve.observe.drift import Drift, DriftMetrics, watch
from tinyserve.serve.observe.log import fields_of
from tinyserve.serve.observe.observer import Observer
from tinyserve.serve.observe.states import MemberStates
from tinyserve.serve.pool import Pool
from tinyserve.serve.request import Done, InferAnswer, InferRequest
from tinyserve.serve.served import Served

if TYPE_CHECKING:
    from tinyserve.serve.observe.tracing import Tracing

ModelState = Literal["UNAVAILABLE", "LOADING", "READY", "UNLOADING"]
SPILL = "spill"
_TICK_S = 0.02
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """``spill``: this computer answers what the members can't in time. ``cache``: answers to keep per
    model."""

    spill: bool = False
    cache: int = 0


PLAIN = Options()


@dataclass
class _Model:
    pool: Pool | None = None
    state: ModelState = "UNAVAILABLE"
    reason: str = "unloaded"
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class ModelStatus:
    """A model of the repository, as its index shows it."""

    name: str
    version: str
    state: ModelState
    reason: str


class Gateway:
    """Used in one event loop. ``open_engine`` may be another one in tests."""

    def __init__(
        self, config: FleetConfig, options: Options = PLAIN, open_with: OpenEngine | None = None
    ) -> None:
        self.config = config
        self.observer = Observer()
        self.observer.registry.register(DriftMetrics(self._watched))
        self.observer.registry.register(MemberStates(self._serving))
        self.is_draining = False
        self.tracing: Tracing | None = None
        self.hub = Hub()
        self.hub.listen(lambda event: self.observer.event(event.model, event.name, event.kind))
        routes = {name: table.escalate for name, table in config.models.items()}
        self._escalation = Escalation(routes, lambda name: self.pool(name).model, self.infer, self.hub)
        self._options = options
        self._open_engine = open_with or partial(open_engine, firmwares=Firmwares())
        self._models = {name: _Model() for name in config.models}

    async def start(self, progress: Progress = silent) -> None:
        """Loads all models. Raises what loading the first bad one raises."""
        for name in self._models:
            await self.load(name, progress)

    async def load(self, name: str, progress: Progress = silent) -> None:
        """Reads the model and opens its members in the background. One that serves is replaced member by
        member: it goes on until one serves the new model.

        Goes on if its caller is cancelled. Raises NotFoundError, what reading the model raises, and
        UnavailableError where the first member does not serve the new model: then all serve the old one.
        """
        await asyncio.shield(self._load(self._named(name), name, progress))

    async def _load(self, model: _Model, name: str, progress: Progress) -> None:
        async with model.lock:
            self._refuse_draining()
            if model.pool is None:
                model.state = "LOADING"
            try:
                loaded, drift = await asyncio.to_thread(self._read, name, progress)
            except TinyserveError as error:
                if model.pool is None:
                    model.state, model.reason = "UNAVAILABLE", error.message
                raise
            self._refuse_draining()
            old, new = model.pool, self._pool(loaded, self.config.models[name], drift)
            first = None
            if old is not None and old.is_ready:
                first = await self._replace_first(old, new)
            model.pool = new
            model.state, model.reason = "READY", ""
            _log.info("model loaded", extra=fields_of(model=name, sha256=loaded.sha256))
            await self._replace_rest(old, new, first)

    async def _replace_first(self, old: Pool, new: Pool) -> Member:
        """The first member that serves the new model; the old pool has the others. One that can be there
        twice (a twin, this computer) is preferred: then no member of the old pool stops.

        Raises UnavailableError where it does not come to serve: the old pool has it back.
        """
        serving = {one.name for one in old.members.values() if one.state == "ready"}
        chosen = min(new.members.values(), key=lambda one: (one.spec.is_exclusive, one.name not in serving))
        before = old.members.get(chosen.name) if chosen.spec.is_exclusive else None
        if before is not None:
            await before.leave()
        chosen.start()
        while chosen.state == "starting" and not self.is_draining:
            await asyncio.sleep(_TICK_S)
        if chosen.state == "ready":
            return chosen
        reason = chosen.reason or chosen.state
        await chosen.leave()
        if before is not None and not self.is_draining:
            before.start()
        raise UnavailableError(
            f"{chosen.name} does not serve the new model, so the old one stays: {reason}",
            "correct what it says, and load again", reason="load",
        )  # fmt: skip

    async def _replace_rest(self, old: Pool | None, new: Pool, first: Member | None) -> None:
        """What the old pool has admitted is answered before its members go over."""
        if old is not None:
            await self._finish(old)
        for member in new.members.values():
            if member is first:
                continue
            if old is not None and member.name in old.members:
                await old.members[member.name].leave()
            member.start()
        if old is not None:
            await self._retire(old)

    async def unload(self, name: str) -> None:
        """Answers what was admitted, and closes the model's members. Goes on if its caller is cancelled."""
        await asyncio.shield(self._unload(self._named(name), name))

    async def _unload(self, model: _Model, name: str) -> None:
        async with model.lock:
            if model.pool is not None:
                model.state, model.reason = "UNLOADING", "unloading"
                members = [one for one in model.pool.members.values() if one.state != "stopped"]
                await self._retire(model.pool)
                for member in members:
                    self.observer.member_changed(name, member)
                model.pool = None
                _log.info("model unloaded", extra=fields_of(model=name))
            model.state, model.reason = "UNAVAILABLE", "unloaded"

    async def drain(self) -> None:
        """Takes no more requests, answers those that were admitted (at most ``drain_s`` long), closes all."""
        self.is_draining = True
        await self._escalation.stop()
        await asyncio.gather(*(self.unload(name) for name in self._models))

    def check_batch(self, samples: int) -> None:
        """Raises TooLargeError for more samples than one request may have."""
        most = self.config.limits.batch
        if samples > most:
            raise TooLargeError(
                f"{samples} samples in one request, {most} at most", "send them in several requests"
            )

    async def infer(self, request: InferRequest, protocol: str) -> InferAnswer:
        """The answer of the model's members. Raises RequestError and UnavailableError."""
        begin_s = time.perf_counter()
        pool, tracing = None, self.tracing
        try:
            pool = self.pool(request.model, request.version)
            self.check_batch(len(request.samples))
            done = await pool.infer(request)
            answer = served.answer(pool.model, done, request.wanted, request.real)
        except (RequestError, UnavailableError) as error:
            outcome = error.reason if isinstance(error, UnavailableError) else "bad request"
            known = request.model if pool is not None else None
            self.observer.failed(known, protocol, outcome, time.perf_counter() - begin_s)
            if tracing is not None:
                tracing.failed(request, protocol, begin_s, outcome)
            raise
        self.observer.answered(request.model, protocol, time.perf_counter() - begin_s)
        if tracing is not None:
            tracing.answered(request, protocol, begin_s, done)
        if pool.model.has_events:
            self._tell(pool.model, request, done)
        return answer

    def _tell(self, model: Served, request: InferRequest, done: list[Done]) -> None:
        """What happened in these inferences, to subscribers; and asks for what is asked for in them."""
        for one in done:
            for event in one.ran.events:
                data = happened.described(event, model, request, one)
                number = self.hub.publish(model.name, event.name, "happened", data)
                self._escalation.ask(model.name, event, number)

    def pool(self, name: str, version: str = "") -> Pool:
        """The pool of a loaded model. Raises NotFoundError, UnavailableError."""
        model = self._named(name)
        self._refuse_draining()
        if model.pool is None:
            raise UnavailableError(f"{name} is not loaded: {model.reason}", "load it", reason="unloaded")
        if version not in ("", model.pool.model.version):
            raise NotFoundError(f"{name} has no version {version!r}, only {model.pool.model.version}")
        return model.pool

    def _refuse_draining(self) -> None:
        if self.is_draining:
            raise UnavailableError("the server is shutting down", reason="draining")

    def pools(self) -> list[Pool]:
        """Of all loaded models."""
        return [model.pool for model in self._models.values() if model.pool is not None]

    def is_ready(self) -> bool:
        """Whether each loaded model has a member that serves, and one at least is loaded."""
        pools = self.pools()
        return bool(pools) and not self.is_draining and all(pool.is_ready for pool in pools)

    def index(self) -> list[ModelStatus]:
        """The models of fleet.toml."""
        return [self._status(name, model) for name, model in self._models.items()]

    def members(self) -> list[Member]:
        """Of all loaded models."""
        return [member for pool in self.pools() for member in pool.members.values()]

    def reset(self, name: str) -> None:
        """Opens a member, or a group's members, anew. Raises NotFoundError."""
        found = [one for one in self.members() if name in (one.name, one.spec.group)]
        if not found:
            known = ", ".join(one.name for one in self.members())
            raise NotFoundError(f"no member or group is called {name!r} (members: {known})")
        for member in found:
            member.reset()

    def _status(self, name: str, model: _Model) -> ModelStatus:
        version = self.config.models[name].version
        if model.pool is not None and model.state == "READY" and not model.pool.is_ready:
            return ModelStatus(name, version, "UNAVAILABLE", "no member serves it")
        return ModelStatus(name, version, model.state, model.reason)

    def _named(self, name: str) -> _Model:
        model = self._models.get(name)
        if model is None:
            raise NotFoundError(f"no model is called {name[:80]!r} (models: {', '.join(self._models)})")
        return model

    def _watched(self) -> dict[str, Drift]:
        return {pool.model.name: pool.drift for pool in self.pools() if pool.drift is not None}

    def _serving(self) -> dict[str, list[Member]]:
        return {pool.model.name: list(pool.members.values()) for pool in self.pools()}

    def _read(self, name: str, progress: Progress) -> tuple[Served, Drift | None]:
        loaded = served.load(name, self.config, progress)
        _ = loaded.golden  # built and run here, in a thread of its own
        return loaded, watch(loaded)

    def _pool(self, model: Served, table: ModelTable, drift: Drift | None) -> Pool:
        limits = self.config.limits
        timeout_s = (table.deadline_ms or limits.deadline_ms) / 1e3
        pool = Pool(
            model, table.queue or limits.queue, timeout_s, self.observer,
            cached=self._options.cache, idle_s=limits.sequences_idle_s, drift=drift,
        )  # fmt: skip
        for spec in self.config.members:
            if spec.model == model.name:
                pool.add(Member(spec, model, pool, self._open_engine))
        if self._options.spill:
            spec = _spill(model.name)
            pool.add(Member(spec, model, pool, self._open_engine), spill=True)
        return pool

    async def _finish(self, pool: Pool) -> None:
        """Takes nothing more, and waits for what was admitted."""
        pool.shut()
        deadline_s = time.monotonic() + self.config.server.drain_s
        while not pool.is_idle and time.monotonic() < deadline_s:
            await asyncio.sleep(_TICK_S)

    async def _retire(self, pool: Pool) -> None:
        await self._finish(pool)
        await asyncio.gather(*(member.stop() for member in pool.members.values()))
        pool.abandon()


def _spill(model: str) -> MemberSpec:
    return MemberSpec(name=f"{SPILL}-{model}", model=model, link="host", board="host", group=SPILL)
