# SPDX-License-Identifier: Apache-2.0
"""Runs jobs on the fleet when nothing more urgent is there, and delivers their results."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from tinyserve.databases import is_url
from tinyserve.errors import FileSystemError, TinyserveError
from tinyserve.serve.config import Jobs as Settings
from tinyserve.serve.errors import AdmissionError, NotFoundError, RequestError, UnavailableError
from tinyserve.serve.gateway import Gateway
from tinyserve.serve.jobs import push
from tinyserve.serve.jobs.store import Job, Store, Submitted
from tinyserve.serve.rest import oip
from tinyserve.words import counted

if TYPE_CHECKING:
    from tinyserve.serve.jobs.mqtt import Broker

PRIORITY = 1000
"""Of jobs that name none: behind requests that somebody waits for."""
AT_ONCE = 8
_LONGEST_KEY = 256
_LONGEST_PAUSE_S = 3600.0
_LOOK_S = 0.5
_EXPIRE_S = 60.0
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Jobs:
    """From ``start`` to ``stop``; what runs then, runs again when the next process starts."""

    def __init__(
        self, gateway: Gateway, settings: Settings, directory: Path, broker: Broker | None = None
    ) -> None:
        self._gateway = gateway
        self._broker = broker
        self._settings = settings
        self._secret = push.load_secret(directory / settings.secret_file) if settings.secret_file else b""
        place = settings.database
        self._store = Store(place if is_url(place) else str(directory / place))
        self._store.requeue_running()
        self._is_new = asyncio.Event()
        self._is_due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """In the running event loop."""
        steps = [self._run_one] * AT_ONCE + [self._deliver, self._expire]
        self._tasks = [asyncio.create_task(self._repeat(step)) for step in steps]

    async def stop(self) -> None:
        """Takes no more jobs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._store.close)

    async def submit(self, body: bytes, header_length: str | None, model: str, version: str, key: str) -> Job:
        """Accepts a request, or returns the job that ``key`` (idempotency; "": none) was given for.

        Raises RequestError for a request that could not be computed, AdmissionError where too many wait,
        UnavailableError where the database can't be used.
        """
        pool = self._gateway.pool(model, version)
        asked, parsed = oip.decode(body, header_length, version, pool.model)
        if asked.sequence is not None:
            raise RequestError("a step of a sequence can't be a job: somebody else's would come between")
        self._gateway.check_batch(len(asked.samples))
        callback = self._callback(parsed.parameters.get("callback", ""))
        if len(key) > _LONGEST_KEY:
            raise RequestError(f"an idempotency key of {len(key)} characters, {_LONGEST_KEY} at most")
        submitted = Submitted(
            id=secrets.token_hex(16), model=model, version=version, body=body, header_length=header_length,
            callback=callback, idempotency=key,
        )  # fmt: skip
        job = await self._stored(lambda: self._store.add(submitted, time.time(), self._settings.waiting))
        if job is None:
            raise AdmissionError(
                f"{counted(self._settings.waiting, 'job waits', 'jobs wait')} already",
                reason="jobs",
                retry_after_s=5.0,
            )
        if job.id != submitted.id and not await self._stored(lambda: self._store.same(job, submitted)):
            raise RequestError("the idempotency key was given for another request", "use a new key for each")
        self._is_new.set()
        return job

    async def get(self, job_id: str) -> Job:
        """Raises NotFoundError."""
        job = await self._stored(lambda: self._store.get(job_id))
        if job is None:
            raise NotFoundError(f"there is no job {job_id[:64]!r}: it never was, or was forgotten")
        return job

    async def latest(self, state: str, delivery: str, most: int) -> list[Job]:
        """The latest jobs."""
        return await self._stored(lambda: self._store.latest(state, delivery, most))

    async def result(self, job_id: str) -> tuple[bytes, int | None] | None:
        """The answer, and the length of its JSON where tensors follow; None while there is none."""
        return await self._stored(lambda: self._store.result(job_id))

    async def remove(self, job_id: str) -> None:
        """Raises NotFoundError; RequestError for a job that runs."""
        job = await self.get(job_id)
        if not await self._stored(lambda: self._store.remove(job.id)):
            raise RequestError("the job runs: it can be removed when it is done")

    async def redeliver(self, job_id: str) -> None:
        """Sends a result again. Raises NotFoundError, RequestError where nothing is to be sent."""
        job = await self.get(job_id)
        if not await self._stored(lambda: self._store.redeliver(job.id, time.time())):
            raise RequestError("the job has no callback, or is not done")
        self._is_due.set()

    def _callback(self, url: object) -> str:
        """A URL to which results may be sent: one of those that fleet.toml allows, so that no client makes us
        call what only we can reach."""
        if url == "":
            return ""
        allowed = self._settings.callbacks
        if not isinstance(url, str) or not _is_callback(url):
            raise RequestError("parameter callback: neither a URL nor mqtt: and a topic")
        if not any(url.startswith(prefix) for prefix in allowed):
            raise RequestError("parameter callback: results are not sent there", "[jobs] callbacks allows it")
        return url

    async def _stored(self, function: Callable[[], T]) -> T:
        """In a thread: the database may wait for its disk."""
        try:
            return await asyncio.to_thread(function)
        except FileSystemError as error:
            raise UnavailableError(f"jobs: {error.message}", reason="jobs", retry_after_s=5.0) from error

    async def _kept(self, function: Callable[[], T]) -> T:
        """As ``_stored``, until the database is back: what was computed is not thrown away."""
        while True:
            try:
                return await self._stored(function)
            except UnavailableError as error:
                _log.error("%s", error.message)
                await asyncio.sleep(_LOOK_S)

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        """A fault (the database is gone) ends no task: it is tried again."""
        while True:
            try:
                await step()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                _log.error("jobs: %s", error, exc_info=None if isinstance(error, TinyserveError) else error)
                await asyncio.sleep(_LOOK_S)

    async def _run_one(self) -> None:
        taken = await self._stored(self._store.take)
        if taken is None:
            await _look_again(self._is_new)
            return
        job, body, header_length = taken
        result, header, error = await self._computed(job, body, header_length)
        await self._kept(lambda: self._store.finish(job.id, time.time(), result, header, error))
        if job.callback:
            self._is_due.set()

    async def _computed(
        self, job: Job, body: bytes, header_length: str | None
    ) -> tuple[bytes, int | None, str]:
        """Refusals are waited out: nobody waits for a job."""
        while True:
            try:
                pool = self._gateway.pool(job.model, job.version)
                asked, parsed = oip.decode(body, header_length, job.version, pool.model)
                asked = replace(asked, priority=asked.priority or PRIORITY, timeout_s=None)
                if job.callback:  # an event is JSON throughout
                    asked = replace(asked, wanted=tuple(replace(one, binary=False) for one in asked.wanted))
                    parsed.parameters.pop("binary_data_output", None)
                answer = await self._gateway.infer(asked, "job")
                return *oip.encode(answer, asked, parsed), ""
            except UnavailableError as error:
                await asyncio.sleep(min(max(error.retry_after_s, 0.05), 5.0) * random.uniform(1.0, 1.5))
            except TinyserveError as error:
                return b"", None, error.message

    async def _deliver(self) -> None:
        due = await self._stored(lambda: self._store.due(time.time(), AT_ONCE))
        if not due:
            await _look_again(self._is_due)
            return
        await asyncio.gather(*(self._deliver_one(job) for job in due))

    async def _deliver_one(self, job: Job) -> None:
        stored = await self._stored(lambda: self._store.result(job.id))
        result = stored[0] if stored is not None else b"null"
        try:
            if job.callback.startswith(push.TOPIC):
                assert self._broker is not None  # such callbacks are allowed where there is one
                await asyncio.to_thread(push.publish, job, result, self._broker)
            else:
                await asyncio.to_thread(push.send, job, result, self._secret, time.time())
        except push.NotDelivered as error:
            is_last = error.is_final or job.attempts + 1 >= self._settings.attempts
            pause_s = min(self._settings.first_retry_s * 2**job.attempts, _LONGEST_PAUSE_S)
            next_at = None if is_last else time.time() + pause_s * random.uniform(0.8, 1.2)
            message = error.message
            await self._stored(lambda: self._store.not_delivered(job.id, message, next_at))
        else:
            await self._stored(lambda: self._store.delivered(job.id))

    async def _expire(self) -> None:
        before = time.time() - self._settings.keep_s
        await self._stored(lambda: self._store.expire(before))
        await asyncio.sleep(_EXPIRE_S)


def _is_callback(text: str) -> bool:
    if not text.startswith(push.TOPIC):
        return re.fullmatch(r"https?://[!-~]{1,2000}", text) is not None and not _climbs(text)
    return re.fullmatch(r"[^+#\x00-\x1f\x7f]{1,1000}", text.removeprefix(push.TOPIC)) is not None


def _climbs(url: str) -> bool:
    """Whether its path goes up, as servers may read it: then the prefix that allows it says nothing."""
    path = unquote(url.partition("?")[0]).replace("\\", "/")
    parts = (part.partition(";")[0] for part in path.split("/"))  # some drop what follows it
    return any(part in (".", "..") for part in parts) or "%" in path or "#" in url


async def _look_again(event: asyncio.Event) -> None:
    """When the event comes, or after a while: it may have come while the database was asked."""
    event.clear()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), _LOOK_S)
