# SPDX-License-Identifier: Apache-2.0
"""Events to an MQTT broker: topic PREFIX/MODEL/NAME, in their order."""

from __future__ import annotations

import asyncio
import logging

from tinyserve.errors import TinyserveError
from tinyserve.serve.events.cloud_event import CONTENT_TYPE
from tinyserve.serve.events.hub import Happened, Hub
from tinyserve.serve.jobs.mqtt import Broker
from tinyserve.serve.observe.observer import Observer

MOST_WAITING = 10_000
"""While the broker is gone; the oldest are lost first, and counted."""
_PAUSE_S = 1.0
_log = logging.getLogger(__name__)


class Publisher:
    """From ``start`` to ``stop``, in the running event loop."""

    def __init__(self, hub: Hub, broker: Broker, prefix: str, observer: Observer) -> None:
        self._broker = broker
        self._prefix = prefix
        self._observer = observer
        self._waiting: asyncio.Queue[Happened] = asyncio.Queue(MOST_WAITING)
        self._task: asyncio.Task[None] | None = None
        hub.listen(self._heard)

    def start(self) -> None:
        self._task = asyncio.create_task(self._publish())

    async def stop(self) -> None:
        """What waits is lost, and counted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for _ in range(self._waiting.qsize()):
            self._observer.event_lost("stopped")

    def _heard(self, event: Happened) -> None:
        if self._waiting.full():
            self._waiting.get_nowait()
            self._observer.event_lost("broker")
        self._waiting.put_nowait(event)

    async def _publish(self) -> None:
        while True:
            event = await self._waiting.get()
            while not await self._published(event):
                await asyncio.sleep(_PAUSE_S)

    async def _published(self, event: Happened) -> bool:
        topic = f"{self._prefix}/{event.model}/{event.name}"
        try:
            await asyncio.to_thread(self._broker.publish, topic, event.content, CONTENT_TYPE)
        except TinyserveError as error:
            _log.error("events: %s", error.message)
            return False
        return True
