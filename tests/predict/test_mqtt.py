# SPDX-License-Identifier: Apache-2.0
"""Topics as a source and as a sink of predictions: nothing lost, nothing in two files, whatever ends it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.bench.models import classifier_bundle
from tests.predict.test_run import expected, read, write
from tests.support.mosquitto import PASSWORD, USER, Mosquitto, started
from tinyserve import bundle
from tinyserve.bundle import Bundle, TensorInfo
from tinyserve.cli.main import main
from tinyserve.errors import BudgetError, DataError, DeviceError, TinyserveError, UsageError
from tinyserve.predict import gate
from tinyserve.predict.engines import Host
from tinyserve.predict.mqtt.address import Messages, parse
from tinyserve.predict.mqtt.collect import collect, key_of
from tinyserve.predict.mqtt.payload import RAW, decode
from tinyserve.predict.mqtt.spool import Spool
from tinyserve.predict.mqtt.subscription import Subscription, opened
from tinyserve.predict.run import Settings, Summary, predict
from tinyserve.predict.watch import Outcome

SAMPLES = 40


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return classifier_bundle(tmp_path_factory.mktemp("shapes"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with started(tmp_path) as running:
        yield running


@pytest.fixture
def messages(tmp_path: Path) -> Messages:
    """For the user who may publish."""
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    (tmp_path / "reader").write_text("reader\n", encoding="utf-8")
    return Messages(password_file=tmp_path / "password", spool=tmp_path / "spool")


def reading(messages: Messages) -> Messages:
    """For the user who may subscribe."""
    assert messages.password_file is not None
    return Messages(password_file=messages.password_file.with_name("reader"), spool=messages.spool)


def send(broker: Mosquitto, payloads: list[bytes], content_type: str = "", retain: bool = False) -> None:
    """Publishes them, and returns once the broker has them."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(USER, PASSWORD)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if content_type:
        properties.ContentType = content_type
    for sent in [
        client.publish("results/in", one, qos=1, retain=retain, properties=properties) for one in payloads
    ]:
        sent.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def predictions(shapes: Bundle, messages: Messages, expects: str = "") -> Callable[[Path, str], Summary]:
    wanted = (gate.parse(expects),) if expects else ()

    def run(data: Path, out: str) -> Summary:
        settings = Settings(piece=16, expects=wanted)
        return predict(shapes, data, out=out, runner=Host(shapes, 1), settings=settings, messages=messages)

    return run


def source_url(broker: Mosquitto) -> str:
    return f"mqtt://reader@127.0.0.1:{broker.port}/results/in"


class Source:
    """Jobs of what comes; ``told`` of what is no sample."""

    def __init__(
        self, broker: Mosquitto, shapes: Bundle, out: Path, messages: Messages, expects: str = ""
    ) -> None:
        self.told: list[str] = []
        url = source_url(broker)
        self.jobs: Iterator[Outcome] = collect(
            url, str(out), shapes, predictions(shapes, messages, expects), every_s=0.3,
            messages=reading(messages), say=self.told.append,
        )  # fmt: skip

    def until(self, samples: int) -> list[Summary | TinyserveError]:
        """Outcomes until so many samples are predicted, or one fails."""
        found: list[Summary | TinyserveError] = []
        while sum(one.manifest.count for one in found if isinstance(one, Summary)) < samples:
            _, outcome = next(self.jobs)
            found.append(outcome)
            if isinstance(outcome, TinyserveError):
                break
        return found


def arrived(received: list[MQTTMessage], count: int) -> list[MQTTMessage]:
    deadline_s = time.monotonic() + 30
    while len(received) < count and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return received


def subscribe(broker: Mosquitto, shapes: Bundle, messages: Messages) -> None:
    """The broker keeps what comes from now on."""
    url = source_url(broker)
    with closing(Spool(messages.spool / key_of(url, shapes), shapes.manifest.inputs)) as spool:
        name = spool.client_id()
    with opened(parse(url, "DATA", wildcards=True), reading(messages), name):
        pass


def test_what_comes_is_predicted_and_bad_messages_are_told(
    shapes: Bundle, tmp_path: Path, broker: Mosquitto, messages: Messages
) -> None:
    data = write(tmp_path / "x.npz", SAMPLES)
    out = tmp_path / "p.sqlite"
    subscribe(broker, shapes, messages)
    images = np.load(data)["x"]
    bad = [b"{", b"[1, 2]", b'["a"]', b"\xff\xfe", b"[[[" * 500, b"NaN", b'{"other": [1]}', b""]
    flat = [json.dumps(one.ravel().tolist()).encode() for one in images[: SAMPLES // 2]]
    send(broker, [*bad, *flat])
    codes = bundle.quantize(images[SAMPLES // 2 :], shapes.manifest.inputs[0])
    send(broker, [one.tobytes() for one in codes], RAW)
    source = Source(broker, shapes, out, messages)  # was away meanwhile
    assert all(isinstance(one, Summary) for one in source.until(SAMPLES))
    values = read(out)[1]
    info = shapes.manifest.outputs[0]
    assert sorted(map(tuple, values)) == sorted(map(tuple, bundle.dequantize(expected(shapes, data), info)))
    assert len(source.told) == len(bad) and all("results/in" in line for line in source.told)
    assert not list((tmp_path / "spool").rglob("*.npz"))


def test_what_was_not_published_is_kept_and_tried_when_it_starts_again(
    shapes: Bundle, tmp_path: Path, broker: Mosquitto, messages: Messages
) -> None:
    out = tmp_path / "p.sqlite"
    subscribe(broker, shapes, messages)
    np.savez(tmp_path / "c.npz", x=np.full((1, 8, 8, 1), 3.0, np.float32))
    other = (int(expected(shapes, tmp_path / "c.npz")[0].argmax()) + 1) % 3
    send(broker, [json.dumps([3.0] * 64).encode()] * 5)
    source = Source(broker, shapes, out, messages, expects=f"{other}=100%..100%")
    assert isinstance(source.until(5)[-1], BudgetError)
    source.jobs.close()  # type: ignore[attr-defined]
    assert read(out)[0] == []
    again = Source(broker, shapes, out, messages)
    again.until(1)
    assert 1 <= len(read(out)[0]) <= 5
    again.until(5 - len(read(out)[0]))
    assert len(read(out)[0]) == 5


def test_predictions_are_sent_once_each_and_in_order(
    shapes: Bundle, tmp_path: Path, broker: Mosquitto, messages: Messages
) -> None:
    data = write(tmp_path / "x.npz", SAMPLES)
    out = f"mqtt://{USER}@127.0.0.1:{broker.port}/results/kws"
    run = predictions(shapes, messages)
    with broker.subscribed("results/kws/#") as received:
        job = run(data, out).manifest.job_id
        events = [json.loads(one.payload) for one in arrived(received, SAMPLES + 1)]
        assert run(data, out).resumed == SAMPLES  # sends nothing again
        assert len(received) == SAMPLES + 1
    *rows, manifest = events
    assert [(row["job"], row["sample"]) for row in rows] == [(job, number) for number in range(SAMPLES)]
    wanted = bundle.dequantize(expected(shapes, data), shapes.manifest.outputs[0])
    assert np.array_equal([row["output"] for row in rows], wanted)
    assert [row["class"] for row in rows] == wanted.argmax(axis=1).tolist()
    assert received[-1].topic == "results/kws/manifest" and manifest["count"] == SAMPLES


def test_what_a_broker_did_not_take_is_sent_by_the_next_run(
    shapes: Bundle, tmp_path: Path, broker: Mosquitto, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyserve.serve.jobs.mqtt.TIMEOUT_S", 0.5)
    data = write(tmp_path / "x.npz", SAMPLES)
    out = f"mqtt://{USER}@127.0.0.1:{broker.port}/results/kws"
    broker.stop()
    with pytest.raises(DeviceError, match="broker"):
        predictions(shapes, messages)(data, out)
    broker.start()
    monkeypatch.undo()
    with broker.subscribed("results/kws") as received:
        assert predictions(shapes, messages)(data, out).resumed == SAMPLES  # nothing is computed again
        assert len(arrived(received, SAMPLES)) == SAMPLES


def test_a_broker_that_refuses_is_named_with_its_reason(
    shapes: Bundle, tmp_path: Path, broker: Mosquitto, messages: Messages
) -> None:
    data = write(tmp_path / "x.npz", SAMPLES)
    with pytest.raises(DeviceError, match="Not authorized"):
        predictions(shapes, messages)(data, f"mqtt://{USER}@127.0.0.1:{broker.port}/secret/kws")
    wrong = collect(
        f"mqtt://nobody@127.0.0.1:{broker.port}/a/#", "p.sqlite", shapes, predictions(shapes, messages),
        every_s=1, messages=messages, say=print,
    )  # fmt: skip
    with pytest.raises(DeviceError, match="refuses the connection"):
        next(wrong)


INPUTS = [
    TensorInfo(name="a", dtype="int8", shape=[1, 3], scale=0.5, zero_point=-1),
    TensorInfo(name="b", dtype="float32", shape=[1, 2]),
]


def test_a_cut_that_was_interrupted_is_finished_once(tmp_path: Path) -> None:
    """The file was there, and the messages in it were still in the database."""
    spool = Spool(tmp_path, INPUTS)
    spool.add([np.arange(5.0), np.arange(5.0) + 1])
    forget: Any = spool._forget
    spool._forget = lambda last: None  # type: ignore[method-assign]
    path = spool.cut()
    assert path is not None
    spool._forget = forget  # type: ignore[method-assign]
    spool.close()
    spool = Spool(tmp_path, INPUTS)
    assert spool.left() == [path] and spool.cut() is None
    path.unlink()
    spool.add([np.arange(5.0)])  # its number is a new one
    spool.close()
    spool = Spool(tmp_path, INPUTS)
    second = spool.cut()
    assert second is not None and second.stem.endswith("-3")
    found = np.load(second)
    assert found["a"].tolist() == [[0, 1, 2]] and found["b"].tolist() == [[3, 4]]
    spool.close()


def test_a_cut_fits_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyserve.predict.mqtt.spool.MOST_BYTES", 2 * 5 * 8)
    with closing(Spool(tmp_path, INPUTS)) as spool:
        spool.add([np.full(5, float(number)) for number in range(5)])
        cuts = [np.load(path)["a"][:, 0].tolist() for path in iter(spool.cut, None)]
        assert cuts == [[0, 1], [2, 3], [4]] and len(spool.left()) == 3


def test_a_broker_knows_each_spool_by_a_name_of_its_own(tmp_path: Path) -> None:
    names = []
    for folder in ("a", "a", "b"):
        with closing(Spool(tmp_path / folder, INPUTS)) as spool:
            names.append(spool.client_id())
    assert names[0] == names[1] != names[2]


def test_messages_that_need_no_confirmation_leave_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyserve.predict.mqtt.subscription._MOST_WAITING", 3)
    receiver = Subscription(parse("mqtt://h/#", "DATA", wildcards=True), Messages(), "x")
    flood = [0] * 5 + [1, 2]
    for number, qos in enumerate(flood):
        message = MQTTMessage(number)
        message.qos = qos
        message.payload = bytes(10)
        receiver._heard(receiver._client, None, message)
    assert [one.message.qos for one in receiver.take(100, 0)] == [0, 0, 0, 1, 2]
    assert receiver._bytes == 0
    assert receiver.news() == (2, "it was not reached") and receiver.news() == (0, "")


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse("mqtt://user:secret@h/t", "--out")
    assert "secret" not in str(caught.value) and "mqtt://user:…@h/t" in str(caught.value)


def test_what_a_broker_sends_again_is_taken_once_and_confirmed_in_its_session(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = Subscription(parse("mqtt://h/a", "DATA"), messages, "test")
    client: Any = subscription._client
    confirmed: list[int] = []
    monkeypatch.setattr(client, "ack", lambda mid, qos: confirmed.append(mid))
    good = SimpleNamespace(is_failure=False)

    def connected(session_present: bool) -> None:
        flags = SimpleNamespace(session_present=session_present)
        subscription._connected(client, None, flags, good, None)

    def heard(*numbers: int) -> None:
        for number in numbers:
            message = MQTTMessage(mid=number)
            message.qos = 1
            subscription._heard(client, None, message)

    connected(False)
    heard(1, 2)
    first = subscription.take(1, 0)
    connected(True)  # the line was lost: neither is confirmed yet
    heard(1, 2, 3)
    rest = subscription.take(10, 0)
    assert [one.message.mid for one in (*first, *rest)] == [1, 2, 3]
    subscription.confirm(first)
    connected(False)  # the broker has forgotten us: its 2 is another message
    heard(2)
    subscription.confirm(rest)
    assert confirmed == [1]
    subscription.confirm(subscription.take(10, 0))
    assert confirmed == [1, 2]


def test_what_is_retained_comes_once(broker: Mosquitto, messages: Messages) -> None:
    send(broker, [b"kept"], retain=True)
    for marker in (b"first", b"second"):
        with opened(parse(source_url(broker), "DATA"), reading(messages), "test") as receiver:
            send(broker, [marker])
            found: list[bytes] = []
            while marker not in found:
                some = receiver.take(10, 1.0)
                receiver.confirm(some)
                found += [bytes(one.message.payload) for one in some]
        assert found.count(b"kept") == (marker == b"first")


def test_payloads(shapes: Bundle) -> None:
    assert decode(b'{"b": [4, 5], "a": [[1, 2.5, 3]]}', "", INPUTS).tolist() == [1, 2.5, 3, 4, 5]
    raw = np.array([1, 3, 5], np.int8).tobytes() + np.array([4, 5], "<f4").tobytes()
    assert decode(raw, RAW, INPUTS).tolist() == [1, 2, 3, 4, 5]
    for payload in (b"[1,2,3,4,5]", b'{"a": [1, 2, 3]}', b'{"a": [1, 2, 3], "b": [true, false]}', b"null"):
        with pytest.raises(DataError):
            decode(payload, "", INPUTS)
    for payload in (b"[[1, 2], [3]]", b'[1, "2"]', b"[1e999]", b"[" + b"9" * 400 + b"]", b"[null]"):
        with pytest.raises(DataError):
            decode(payload, "", INPUTS[1:])
    with pytest.raises(DataError, match="7 bytes, the inputs take 11"):
        decode(bytes(7), RAW, INPUTS)


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://h", "mqtt://h/", "mqtt://u:p@h/t", "mqtt://h/a/+", "mqtt://h/a\nb", "mqttx://h/a",
        "mqtt://h:99999/t", "mqtt://h:a/t", "mqtt://[::1/t", "mqtt://u@:1883/t", "mqtt://h/\udcff",
    ],
)  # fmt: skip
def test_places_that_are_no_topics(url: str) -> None:
    with pytest.raises(UsageError, match="no topic of a broker"):
        parse(url, "--out")


@pytest.mark.parametrize(
    ("topics", "good"),
    [
        ("#", True), ("+", True), ("a/#", True), ("+/a/+/#", True), ("$share/g/a/+", True), ("a//b", True),
        ("a#", False), ("a/#/b", False), ("a+/b", False), ("a/b+", False), ("+#", False),
    ],
)  # fmt: skip
def test_wildcards_are_whole_levels(topics: str, good: bool) -> None:
    if good:
        assert parse(f"mqtt://[::1]:1883/{topics}", "DATA", wildcards=True).topic == topics
        return
    with pytest.raises(UsageError, match="no topic of a broker"):
        parse(f"mqtt://h/{topics}", "DATA", wildcards=True)


def test_a_source_without_an_end_needs_watch(shapes: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["predict", str(shapes.path), "mqtt://h/a/#", "--out", "p.sqlite"]
    assert main(command) == UsageError.exit_status
    assert "--watch SECONDS" in capsys.readouterr().err
