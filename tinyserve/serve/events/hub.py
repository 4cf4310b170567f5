# SPDX-License-Identifier: Apache-2.0
"""Events of all models, in the order in which they became known, for any number of subscribers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tinyserve.serve.errors import AdmissionError
from tinyserve.serve.events import cloud_event

KEPT = 1000
"""Events that a subscriber which comes back can have sent again."""
MOST_BEHIND = 256
"""One that does not read what it subscribed to is not waited for."""
MOST_SUBSCRIBERS = 64
Kind = Literal["happened", "answered", "failed"]
"""An event of a model's, and what became of one that asks for another model."""


@dataclass(frozen=True)
class Happened:
    """An event as subscribers get it, ``content``: a CloudEvent as JSON; and what it is chosen by."""

    id: str
    model: str
    name: str
    kind: Kind
    content: bytes


@dataclass(eq=False)
class Subscription:
    """Of one subscriber; ``model`` and ``name`` "": of all. ``ended`` says why nothing more comes."""

    model: str
    name: str
    ended: str = ""
    _waiting: deque[Happened] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Happened) -> None:
        """Another event: taken where it is one of those subscribed to."""
        if self.model not in ("", event.model) or self.name not in ("", event.name):
            return
        if len(self._waiting) >= MOST_BEHIND:
            self.end(f"{MOST_BEHIND} events were not read")
            return
        self._waiting.append(event)
        self._wake.set()

    def end(self, why: str) -> None:
        """What waits is still given out."""
        self.ended = self.ended or why
        self._wake.set()

    async def next(self, patience_s: float) -> Happened | None:
        """The next event; None where none came in ``patience_s``, and at the end."""
        if not self._waiting and not self.ended:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), patience_s)
            except asyncio.TimeoutError:
                return None
        return self._waiting.popleft() if self._waiting else None


class Hub:
    """Used in one event loop."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._count = 0
        self._kept: deque[Happened] = deque(maxlen=KEPT)
        self._subscriptions: set[Subscription] = set()
        self._listeners: list[Callable[[Happened], None]] = []

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return len(self._subscriptions)

    def listen(self, listener: Callable[[Happened], None]) -> None:
        """Calls ``listener``, which must not take long, with each event from now on."""
        self._listeners.append(listener)

    def publish(self, model: str, name: str, kind: Kind, data: dict[str, Any]) -> str:
        """Tells of an event; returns its id."""
        self._count += 1
        number = f"{self._run}-{self._count}"
        content = cloud_event.encoded(
            number, model, f"event.{kind}", at_s=time.time(), data=data, subject=name
        )
        event = Happened(number, model, name, kind, content)
        self._kept.append(event)
        for subscription in self._subscriptions:
            subscription.put(event)
        for listener in self._listeners:
            listener(event)
        return number

    @contextmanager
    def subscribed(self, model: str, name: str, last_id: str = "") -> Iterator[Subscription]:
        """A subscription, which begins with what came after the event ``last_id``, where that is still kept.

        Raises AdmissionError where too many subscribe.
        """
        if len(self._subscriptions) >= MOST_SUBSCRIBERS:
            raise AdmissionError(
                f"{MOST_SUBSCRIBERS} subscribers listen already", reason="subscribers", retry_after_s=5.0
            )
        subscription = Subscription(model, name)
        for event in self._since(last_id):
            subscription.put(event)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Ends all subscriptions."""
        for subscription in self._subscriptions:
            subscription.end("the server ends")

    def _since(self, last_id: str) -> list[Happened]:
        known = [event.id for event in self._kept]
        return list(self._kept)[known.index(last_id) + 1 :][-MOST_BEHIND:] if last_id in known else []
