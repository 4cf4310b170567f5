# SPDX-License-Identifier: Apache-2.0
"""Messages from a broker, each confirmed when its receiver says so: what is not is sent again."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tinyserve.errors import DeviceError
from tinyserve.predict.mqtt.address import Address, Messages
from tinyserve.serve.jobs.mqtt import client_of

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

KEPT_S = 7 * 86_400
"""How long the broker keeps messages for us while we are away."""
FIRST_S = 15.0
_UNCONFIRMED = 1000
_RETAINED_ONCE = 1
_LARGEST = 4 << 20
_MOST_WAITING = 10_000
_MOST_BYTES = 64 << 20
"""Of messages with QoS 0 that wait, as their number."""


@dataclass(frozen=True)
class Arrived:
    """A message. ``session`` counts those of the broker: one that has forgotten us begins another, in which
    messages' numbers stand for others."""

    message: MQTTMessage
    session: int


class Subscription:
    """From ``opened`` to the end of its block."""

    def __init__(self, address: Address, messages: Messages, client_id: str) -> None:
        self._waiting: queue.SimpleQueue[Arrived] = queue.SimpleQueue()
        self._bytes = 0
        self._lost = 0
        self._lock = threading.Lock()
        self._session = 0
        self._unconfirmed: set[int] = set()
        self._ready = threading.Event()
        self._topic = address.topic
        self._client, self._address = client_of(
            address.settings(messages), messages.spool, client_id=client_id, manual_ack=True
        )
        self.where = f"broker {self._address[0]}:{self._address[1]}"
        self.why = "it was not reached"
        self._said = ""
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._heard

    def start(self) -> None:
        """Raises DeviceError where the broker is not reached, or does not allow the subscription."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = KEPT_S
        properties.ReceiveMaximum = _UNCONFIRMED
        properties.MaximumPacketSize = _LARGEST
        self._client.connect_async(*self._address, clean_start=False, properties=properties)
        self._client.loop_start()
        if not self._ready.wait(FIRST_S) or self.why:
            raise DeviceError(f"{self.where}: {self.why}", "see to the broker, the user and the topic")

    def take(self, most: int, timeout_s: float) -> list[Arrived]:
        """What has come, up to ``most``; waits for the first."""
        found: list[Arrived] = []
        with suppress(queue.Empty):
            found.append(self._waiting.get(timeout=timeout_s))
            while len(found) < most:
                found.append(self._waiting.get_nowait())
        with self._lock:
            self._bytes -= sum(len(one.message.payload) for one in found)
        return found

    def news(self) -> tuple[int, str]:
        """How many messages of QoS 0 were lost, and what is wrong with the connection, since it was asked."""
        with self._lock:
            lost, self._lost = self._lost, 0
        said, self._said = self._said, self.why
        return lost, self._said if self._said != said else ""

    def confirm(self, arrived: Sequence[Arrived]) -> None:
        """They are safe here: the broker may forget them."""
        for one in arrived:
            with self._lock:
                if one.message.qos and one.session == self._session:
                    self._unconfirmed.discard(one.message.mid)
                    self._client.ack(one.message.mid, one.message.qos)

    def stop(self) -> None:
        """The broker keeps what comes for the next time."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self.why = f"refuses the connection: {reason}"
            self._ready.set()
            return
        if not flags.session_present:
            with self._lock:
                self._session += 1
                self._unconfirmed.clear()
        # What is retained there is a sample once, not each time that the line was lost.
        client.subscribe(self._topic, options=SubscribeOptions(qos=1, retainHandling=_RETAINED_ONCE))

    def _disconnected(self, client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        """The client connects again by itself."""
        self.why = self.why or f"the connection is lost: {reason}"

    def _subscribed(self, client: Client, data: Any, mid: int, reasons: Any, properties: Any) -> None:
        failed = [reason for reason in reasons if reason.is_failure]
        self.why = f"does not allow {self._topic}: {failed[0]}" if failed else ""
        self._ready.set()

    def _heard(self, client: Client, data: Any, message: MQTTMessage) -> None:
        """Of messages with QoS 0 there may be any number, and they must not take the places of others, which
        are at most _UNCONFIRMED: one that is not taken is never confirmed. The broker sends those again after
        the line was lost."""
        with self._lock:
            if not message.qos and (self._waiting.qsize() >= _MOST_WAITING or self._bytes > _MOST_BYTES):
                self._lost += 1
                return
            if message.qos and message.mid in self._unconfirmed:
                return  # it is here, and will be confirmed
            if message.qos:
                self._unconfirmed.add(message.mid)
            self._bytes += len(message.payload)
            self._waiting.put(Arrived(message, self._session))


@contextmanager
def opened(address: Address, messages: Messages, client_id: str) -> Iterator[Subscription]:
    """Raises DeviceError where the broker is not reached."""
    found = Subscription(address, messages, client_id)
    try:
        found.start()
        yield found
    finally:
        found.stop()
