# SPDX-License-Identifier: Apache-2.0
"""Events of served models reach who subscribed, in order, and ask for other models."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tests.pipeline.streams import sound, write_models
from tests.serve.running import FREE, Served, serving
from tests.support.mosquitto import Mosquitto, program
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.errors import UsageError
from tinyserve.pipeline.compose import compose
from tinyserve.pipeline.spec import load
from tinyserve.serve import config
from tinyserve.serve.errors import AdmissionError
from tinyserve.serve.events import hub
from tinyserve.serve.events.hub import Hub
from tinyserve.serve.rpc.events import SERVICE

HOPS = 40
FLEET = """
[models.listen]
source = "listen.tflite"
[models.listen.escalate]
large = "{target}"
[models.big]
source = "verify.tflite"
[members.here]
model = "listen"
link = "{link}"
board = "cortex-m4"
[members.gateway]
model = "big"
link = "host"
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listen")
    write_models(folder)
    (folder / "listen.tflite").write_bytes(compose(load(folder / "pipeline.toml"), folder).data)
    return folder


@pytest.fixture(scope="module")
def expected(directory: Path) -> list[dict[str, Any]]:
    """Name, inference and payload of all events of the stream, from the compiled pipeline alone."""
    model = HostModel(compile_model((directory / "listen.tflite").read_bytes()))
    events = model.events([sound(HOPS)])[1]
    return [
        {"name": e.name, "inference": e.inference, "sample": e.sample, "payload": list(e.payload)}
        for e in events
    ]


def listen(served: Served) -> None:
    """The whole stream, hop by hop, as a sequence."""
    (info,) = served.ask("/v2/models/listen").json["inputs"]
    for number, hop in enumerate(sound(HOPS)):
        tensor = {
            "name": info["name"],
            "datatype": "INT16",
            "shape": list(hop.shape),
            "data": hop.ravel().tolist(),
        }
        step = {"sequence_id": 5, "sequence_start": number == 0, "sequence_end": number == HOPS - 1}
        reply = served.ask(
            "/v2/models/listen/infer", json.dumps({"inputs": [tensor], "parameters": step}).encode()
        )
        assert reply.status == 200, reply.body


@contextmanager
def subscribed(served: Served, query: str = "", last_id: str = "") -> Iterator[list[dict[str, Any]]]:
    """Server-sent events, as they come."""
    connection = http.client.HTTPConnection(served.rest, timeout=60)
    connection.request("GET", f"/v2/events{query}", headers={"Last-Event-ID": last_id} if last_id else {})
    reply = connection.getresponse()
    assert reply.status == 200 and reply.getheader("content-type", "").startswith("text/event-stream")
    received: list[dict[str, Any]] = []

    def read() -> None:
        number = ""
        while line := reply.readline():
            if line.startswith(b"id: "):
                number = line[4:].decode().strip()
            if line.startswith(b"data: "):
                received.append(json.loads(line[6:]))
                assert received[-1]["id"] == number

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield received
    finally:
        if connection.sock is not None:
            connection.sock.shutdown(2)
        reader.join(10)
        connection.close()


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == f"tinyserve.event.{kind}"]


def until(events: list[dict[str, Any]], kind: str, count: int) -> list[dict[str, Any]]:
    deadline_s = time.monotonic() + 60
    while len(of_kind(events, kind)) < count and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return of_kind(events, kind)


def as_expected(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": event["subject"],
            "inference": event["data"]["inference"],
            "sample": event["data"]["sample"],
            "payload": [base64.b64decode(one) for one in event["data"].get("payload", [])],
        }
        for event in events
    ]


@pytest.mark.parametrize("link", ["host", "twin"])
def test_subscribers_get_each_event_once_and_its_answer(
    link: str, directory: Path, expected: list[dict[str, Any]]
) -> None:
    asked = [one for one in expected if one["name"] == "large"]
    assert asked and len(asked) < len(expected)
    with serving(FREE + FLEET.format(target="big", link=link), directory, members=2) as served:
        with subscribed(served, "?model=listen") as events, subscribed(served, "?name=heard") as heard:
            listen(served)
            happened = until(events, "happened", len(expected))
            answered = until(events, "answered", len(asked))
            big = compile_model((directory / "verify.tflite").read_bytes())
            for event, one in zip(answered, asked, strict=True):
                model = HostModel(big)
                scores = np.frombuffer(model.run_bytes(one["payload"])[0], np.int8)
                assert event["data"]["outputs"][0]["data"] == scores.tolist()
                assert event["data"]["by"] == "big" and event["data"]["parameters"]["member"] == "gateway"
                assert event["data"]["cause"] in {known["id"] for known in happened}
        assert as_expected(happened) == expected
        assert all(event["data"]["sequence"] == "5" for event in happened)
        assert as_expected(heard) == [one for one in expected if one["name"] == "heard"]
        with subscribed(served, "", last_id=happened[2]["id"]) as later:
            assert as_expected(until(later, "happened", len(expected) - 3)) == expected[3:]
        assert b'tinyserve_events_total{kind="answered"' in served.ask("/metrics").body


def test_a_gateways_node_may_run_on_another_endpoint(directory: Path, expected: list[dict[str, Any]]) -> None:
    asked = [one for one in expected if one["name"] == "large"]
    with serving(FREE + FLEET.format(target="big", link="host"), directory, members=2) as other:
        target = f"http://{other.rest}/v2/models/big"
        with (
            serving(FREE + FLEET.format(target=target, link="host"), directory, members=2) as served,
            subscribed(served, "?model=listen") as events,
        ):
            listen(served)
            answered = until(events, "answered", len(asked))
            assert [event["data"]["by"] for event in answered] == [target] * len(asked)
            assert len(answered[0]["data"]["outputs"][0]["data"]) == 3


def test_what_can_not_answer_is_an_event_too(directory: Path) -> None:
    target = "http://127.0.0.1:9/v2/models/big"
    with (
        serving(FREE + FLEET.format(target=target, link="host"), directory, members=2) as served,
        subscribed(served) as events,
    ):
        listen(served)
        failed = until(events, "failed", 1)
        assert target in failed[0]["data"]["error"]


def test_events_come_over_grpc(directory: Path, expected: list[dict[str, Any]]) -> None:
    with (
        serving(FREE + FLEET.format(target="big", link="host"), directory, members=2) as served,
        grpc.insecure_channel(served.grpc) as channel,
    ):
        subscribe = channel.unary_stream(f"/{SERVICE}/Subscribe", Struct.SerializeToString, Struct.FromString)
        wanted = json_format.ParseDict({"model": "listen", "name": "heard"}, Struct())
        stream = subscribe(wanted, timeout=60)
        while not served.inside(lambda: served.running.gateway.hub.subscribers):
            time.sleep(0.01)
        listen(served)
        heard = [one for one in expected if one["name"] == "heard"]
        got = [json_format.MessageToDict(next(stream)) for _ in heard]
        assert as_expected(got) == heard
        stream.cancel()
        with pytest.raises(grpc.RpcError, match="texts"):
            next(subscribe(json_format.ParseDict({"modle": "x"}, Struct()), timeout=60))


def test_events_are_published_over_mqtt(
    directory: Path, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    command = program()
    if command is None:
        pytest.skip("mosquitto is not installed")
    broker = Mosquitto(tmp_path, command)
    broker.start()
    try:
        (directory / "password").write_text("correct horse")
        text = (
            FREE
            + FLEET.format(target="big", link="host")
            + (
                f'[mqtt]\nbroker = "mqtt://127.0.0.1:{broker.port}"\nevents = "results/events"\n'
                'user = "gateway"\npassword_file = "password"\n'
            )
        )
        with broker.subscribed("results/events/#") as received, serving(text, directory, members=2) as served:
            listen(served)
            deadline_s = time.monotonic() + 60
            while len(received) < len(expected) and time.monotonic() < deadline_s:
                time.sleep(0.01)
            events = [json.loads(message.payload) for message in received]
        assert as_expected(of_kind(events, "happened")) == expected
        assert {message.topic for message in received} == {
            "results/events/listen/large",
            "results/events/listen/heard",
        }
    finally:
        broker.stop()


def test_one_that_does_not_read_is_not_waited_for() -> None:
    async def run() -> None:
        events = Hub()
        with events.subscribed("", "") as slow, events.subscribed("", "") as quick:
            for number in range(hub.MOST_BEHIND + 10):
                events.publish("m", "n", "happened", {"inference": number})
                assert await quick.next(1) is not None
            assert "not read" in slow.ended and not quick.ended
            assert [await slow.next(1) for _ in range(hub.MOST_BEHIND)].count(None) == 0
            assert await slow.next(1) is None

    asyncio.run(run())


def test_there_is_a_limit_of_subscribers() -> None:
    async def run() -> None:
        events = Hub()
        held = [events.subscribed("", "") for _ in range(hub.MOST_SUBSCRIBERS)]
        for one in held:
            one.__enter__()
        with pytest.raises(AdmissionError, match="subscribers"), events.subscribed("", ""):
            pass
        held[0].__exit__(None, None, None)
        with events.subscribed("", ""):
            pass

    asyncio.run(run())


@pytest.mark.parametrize(
    "more",
    [
        '[models.m.escalate]\nlarge = "nobody"',
        '[models.m.escalate]\nlarge = "http://h/v1/models/x"',
        '[models.m.escalate]\nlarge = "ftp://h/v2/models/x"',
        '[mqtt]\nevents = "a"',
        '[mqtt]\nbroker = "mqtt://h"\nevents = "a/#"',
    ],
)
def test_settings_that_can_not_be(more: str, tmp_path: Path) -> None:
    text = f'[models.m]\nsource = "m"\n[members.a]\nlink = "host"\n{more}\n'
    with pytest.raises(UsageError, match=r"escalate|events"):
        config.parse(text, tmp_path / "fleet.toml")
