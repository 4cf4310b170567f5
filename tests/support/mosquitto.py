# SPDX-License-Identifier: Apache-2.0
"""An MQTT broker of the tests' own, and what arrives there."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

USER, PASSWORD = "gateway", "correct horse"
_PATIENCE_S = 30.0


def program() -> str | None:
    """Debian has it where only root looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port that nothing listens on, below those that the system gives to whoever connects: it stays free
    until a program takes it."""
    chance = random.SystemRandom()  # tests of several workers begin with the same seed
    while True:
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def wait_for(port: int) -> None:
    """Until something listens there. Raises RuntimeError after a while."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens at port {port}")


@contextmanager
def started(folder: Path) -> Iterator[Mosquitto]:
    """A broker for a test, which is skipped where there is none."""
    command = program()
    if command is None:
        pytest.skip("mosquitto is not installed")
    broker = Mosquitto(folder, command)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Mosquitto:
    """Runs from ``start`` to ``stop``, which may be repeated. USER may publish under results/ alone."""

    def __init__(self, folder: Path, command: str) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        passwords, rules = folder / "passwords", folder / "rules"
        passwords.write_text(f"{USER}:{PASSWORD}\nreader:reader\n")
        subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
        rules.write_text(f"user {USER}\ntopic write results/#\nuser reader\ntopic read #\n")
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\nuser root\n"
            f"password_file {passwords}\nacl_file {rules}\n"
        )

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._command, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.port)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE_S)
            self._process = None

    @contextmanager
    def subscribed(self, topics: str) -> Iterator[list[MQTTMessage]]:
        """What arrives under them."""
        received: list[MQTTMessage] = []
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.username_pw_set("reader", "reader")

        def subscribe(*_: object) -> None:
            client.subscribe(topics, qos=1)

        client.on_connect = subscribe
        client.on_message = lambda _, __, message: received.append(message)
        ready: list[object] = []
        client.on_subscribe = lambda *_: ready.append(None)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            deadline_s = time.monotonic() + _PATIENCE_S
            while not ready and time.monotonic() < deadline_s:
                time.sleep(0.01)
            yield received
        finally:
            client.disconnect()
            client.loop_stop()
