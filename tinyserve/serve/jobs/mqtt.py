# SPDX-License-Identifier: Apache-2.0
"""Messages to an MQTT broker (version 5): what it has confirmed has arrived, at least once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tinyserve.errors import DeviceError, FileSystemError
from tinyserve.serve.config import Mqtt

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

TIMEOUT_S = 10.0
_PLAIN_PORT, _TLS_PORT = 1883, 8883
_LONGEST_PAUSE_S = 30
_WAITING = 1000


class Broker:
    """The connection to the broker, from ``start`` to ``stop``: opened again as often as it is lost."""

    def __init__(self, settings: Mqtt, directory: Path) -> None:
        self._refused: dict[int, str] = {}
        self._connected = threading.Event()
        self._why = "it was not reached yet"
        self._client, self._address = client_of(settings, directory)
        self._client.max_queued_messages_set(_WAITING)
        self._client.on_connect = self._opened
        self._client.on_disconnect = self._lost
        self._client.on_publish = self._confirmed

    def start(self) -> None:
        """Connects in the background."""
        self._client.connect_async(*self._address)
        self._client.loop_start()

    def stop(self) -> None:
        """Messages that wait are lost: who published them knows."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, content_type: str) -> None:
        """Returns once the broker has it. Raises DeviceError where it is not reached or does not take it."""
        self.publish_all([(topic, payload)], content_type)

    def publish_all(self, messages: Sequence[tuple[str, bytes]], content_type: str) -> None:
        """Topics and payloads, in their order, up to _WAITING of them. Returns once the broker has all;
        raises DeviceError where it does not get or take one: it may have any of the others."""
        where = f"broker {self._address[0]}:{self._address[1]}"
        if not self._connected.wait(TIMEOUT_S):
            raise DeviceError(f"{where}: {self._why}", "see to the broker, its user and its password")
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = content_type
        sent = [
            self._client.publish(topic, payload, qos=1, properties=properties) for topic, payload in messages
        ]
        for one in sent:
            self._wait(one, where)

    def _wait(self, sent: MQTTMessageInfo, where: str) -> None:
        try:
            sent.wait_for_publish(TIMEOUT_S)
        except (ValueError, RuntimeError) as error:
            raise DeviceError(f"{where}: {error}", "see to the broker") from error
        if not sent.is_published():
            raise DeviceError(f"{where}: did not confirm within {TIMEOUT_S:g} s", "see to the broker")
        refused = self._refused.pop(sent.mid, "")
        if refused:
            raise DeviceError(
                f"{where}: does not take it: {refused}", "what this user may publish is its rule"
            )

    def _opened(self, client: Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self._why = f"refuses the connection: {reason}"
        else:
            self._connected.set()

    def _lost(self, client: Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self._connected.clear()
        self._why = f"the connection was lost: {reason}"

    def _confirmed(self, client: Client, data: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self._refused[mid] = str(reason)


def client_of(
    settings: Mqtt, directory: Path, *, client_id: str = "", manual_ack: bool = False
) -> tuple[Client, tuple[str, int]]:
    """A client that is not connected yet, and the broker's host and port. Paths are relative to
    ``directory``.

    Raises FileSystemError for a password that can't be read, or certificates.
    """
    parts = urlsplit(settings.broker)
    is_tls = parts.scheme == "mqtts"
    client = Client(
        CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=manual_ack
    )
    client.connect_timeout = TIMEOUT_S
    client.reconnect_delay_set(1, _LONGEST_PAUSE_S)
    if settings.user:
        client.username_pw_set(settings.user, _password(settings, directory))
    if is_tls:
        _trust(client, directory / settings.authority if settings.authority else None)
    return client, (parts.hostname or "", parts.port or (_TLS_PORT if is_tls else _PLAIN_PORT))


def _trust(client: Client, authority: Path | None) -> None:
    try:
        client.tls_set(str(authority) if authority is not None else None)
    except (OSError, ValueError) as error:
        raise FileSystemError(
            f"{authority}: {error}", "the certificate of the broker's authority, PEM"
        ) from error


def _password(settings: Mqtt, directory: Path) -> str | None:
    if not settings.password_file:
        return None
    path = directory / settings.password_file
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FileSystemError(f"{path}: {error}", "check password_file in [mqtt]") from error
