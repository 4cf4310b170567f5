# SPDX-License-Identifier: Apache-2.0
"""Results over MQTT: at least once, through a broker that is gone for a while, never under another topic."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import MQTTMessage

from tests.serve.fakes import Script
from tests.serve.running import serving
from tests.serve.test_faults import fleet
from tests.serve.test_hostile import GOOD, INFER, body
from tests.serve.test_jobs import POLL, call_back, submit, until
from tests.support.mosquitto import PASSWORD, USER, Mosquitto, started
from tinyserve.bundle import Bundle
from tinyserve.errors import UsageError
from tinyserve.serve import config


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with started(tmp_path) as running:
        yield running


def settings(broker: Mosquitto, folder: Path, allowed: str = "mqtt:results/") -> str:
    (folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    return (
        f'{POLL}callbacks = ["{allowed}"]\nfirst_retry_s = 0.2\n[mqtt]\nbroker = "mqtt://127.0.0.1:{broker.port}"\n'
        f'user = "{USER}"\npassword_file = "password"\n'
    )


def arrived(received: list[MQTTMessage], count: int) -> list[MQTTMessage]:
    deadline_s = time.monotonic() + 30
    while len(received) < count and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return received


def test_a_result_is_published_as_a_cloud_event(shapes: Bundle, tmp_path: Path, broker: Mosquitto) -> None:
    text = fleet(shapes, more=settings(broker, tmp_path))
    with broker.subscribed("results/#") as received:
        with serving(text, tmp_path, open_with=Script(0.01).open, members=2) as served:
            place = call_back(served, "mqtt:results/line 1/shapes")
            assert until(served, place, lambda job: job["delivery"] == "delivered")["attempts"] == 1
            expected = served.ask(INFER, body()).json["outputs"]
        (message,) = arrived(received, 1)
    event = json.loads(message.payload)
    assert message.topic == "results/line 1/shapes"
    assert message.properties is not None
    assert message.properties.ContentType == "application/cloudevents+json"
    assert place.endswith(event["id"]) and event["type"] == "tinyserve.inference.done"
    assert event["data"]["outputs"] == expected


def test_what_a_broker_did_not_take_is_sent_when_it_is_back(
    shapes: Bundle, tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyserve.serve.jobs.mqtt.TIMEOUT_S", 0.5)
    text = fleet(shapes, more=settings(broker, tmp_path))
    with serving(text, tmp_path, open_with=Script(0.01).open, members=2) as served:
        until(served, call_back(served, "mqtt:results/a"), lambda job: job["delivery"] == "delivered")
        broker.stop()
        place = call_back(served, "mqtt:results/b")
        job = until(served, place, lambda job: job["attempts"] > 0)
        assert job["delivery"] == "pending" and f"127.0.0.1:{broker.port}" in job["delivery_error"]
        broker.start()
        with broker.subscribed("results/b") as received:
            until(served, place, lambda job: job["delivery"] == "delivered")
            assert [message.topic for message in arrived(received, 1)] == ["results/b"]


def test_what_the_broker_refuses_is_a_dead_letter_with_its_reason(
    shapes: Bundle, tmp_path: Path, broker: Mosquitto
) -> None:
    more = settings(broker, tmp_path, allowed="mqtt:").replace("first_retry_s", "attempts = 2\nfirst_retry_s")
    more = more.replace('["mqtt:"]', '["mqtt:secret/"]')
    with serving(fleet(shapes, more=more), tmp_path, open_with=Script(0.01).open, members=2) as served:
        place = call_back(served, "mqtt:secret/plans")
        job = until(served, place, lambda job: job["delivery"] == "dead")
        assert "Not authorized" in job["delivery_error"] and job["attempts"] == 2


@pytest.mark.parametrize(
    "callback", ["mqtt:other/a", "mqtt:", "mqtt:results/+", "mqtt:results/\0", "mqtt:results/#"]
)
def test_topics_that_are_not_allowed(
    shapes: Bundle, tmp_path: Path, callback: str, broker: Mosquitto
) -> None:
    with serving(
        fleet(shapes, more=settings(broker, tmp_path)), tmp_path, open_with=Script(0.01).open, members=2
    ) as served:
        asked = {"inputs": [GOOD], "parameters": {"callback": callback}}
        assert submit(served, json.dumps(asked).encode()).status == 400


@pytest.mark.parametrize(
    "more",
    [
        'callbacks = ["mqtt:a/"]',
        'callbacks = ["mqtt:#"]\n[mqtt]\nbroker = "mqtt://h"',
        '[mqtt]\nbroker = "http://h"',
        '[mqtt]\nbroker = "mqtt://u:p@h"',
        '[mqtt]\nbroker = "mqtt://h/topic"',
    ],
)
def test_settings_that_can_not_be(more: str, tmp_path: Path) -> None:
    text = f'[models.m]\nsource = "m"\n[members.a]\nlink = "host"\n{POLL}{more}\n'
    with pytest.raises(UsageError, match=r"callbacks|broker"):
        config.parse(text, tmp_path / "fleet.toml")
