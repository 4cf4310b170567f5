# SPDX-License-Identifier: Apache-2.0
"""A device that says whatever it likes: every question ends, in an answer that makes sense or in an error."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hostile import names
from tinyserve.devices.client import Client, exchange
from tinyserve.devices.link import MAX_LINE_BYTES, Link, LinkClosed
from tinyserve.errors import DeviceError, TinyserveError, UsageError

INFO = {
    "protocol": "1", "version": "0.1.0", "model_sha256": "0" * 64, "engine": "aot", "board": "nano33",
    "core": "cortex-m4", "inputs": "1", "outputs": "1", "input_0_bytes": "8", "output_0_bytes": "4",
    "tick_unit": "cycles", "tick_hz": "64000000", "arena_bytes": "9056", "layers": "2", "line_bytes": "300",
}  # fmt: skip


class Device(Link):
    """Answers each command with what ``say`` gives for it, and is then gone."""

    def __init__(self, say: Callable[[str], Iterator[bytes]]) -> None:
        super().__init__("hostile")
        self._say = say
        self._stream: Iterator[bytes] = iter([b"m-init-done\r\nm-ready\r\n"])

    def _send(self, data: bytes) -> None:
        self._stream = itertools.chain(self._stream, self._say(data.decode().rstrip("%")))

    def _receive(self, timeout_s: float) -> bytes:
        for data in self._stream:
            return data
        if self.is_wire:
            time.sleep(0.005)
            return b""
        raise LinkClosed(self.describe("it is gone"))


def ask_everything(client: Client) -> None:
    """Every question; each may be refused, none may end in anything but a DeviceError."""
    questions: list[Callable[[], object]] = [
        client.identify, lambda: client.load(b"12345678"), lambda: client.infer(2), client.outputs,
        client.memory, client.profile, client.name, client.mlperf_profile,
        client.results, lambda: client.mlperf_infer(1),
    ]  # fmt: skip
    for question in questions:
        try:
            question()
        except TinyserveError as error:
            assert isinstance(error, DeviceError | UsageError)
            assert len(str(error)) < 20_000
            if isinstance(error, LinkClosed):
                return


def info_lines(changed: dict[str, str]) -> str:
    return "".join(f"ts-info-[{key}={value}]\r\n" for key, value in (INFO | changed).items())


numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["9" * 5000, "-1", "0", "", "1e9", "nan", "0x10", "٣", "²", " 1", "1_000", "65537", "3"]),
)
lines = st.one_of(
    st.builds(
        "ts-{}-[{}]".format, st.sampled_from(["ticks", "results", "output", "info", "memory"]), numbers
    ),
    st.builds("ts-layer-[{},{},{}]".format, numbers, names, numbers),
    st.builds("ts-memory-[{}={}]".format, st.sampled_from(["arena", "stack_used", "stack_size"]), numbers),
    st.builds("m-lap-us-{}".format, numbers),
    st.builds("m-results-[{},{}]".format, numbers, numbers),
    st.builds("m-[{} of {} bytes]".format, numbers, numbers),
    st.builds("ts-output-[{}]".format, st.text("0123456789abcdefg ", max_size=20)),
    st.builds("e-[{}]".format, names),
    st.builds("m-name-dut-[{}]".format, names),
    st.sampled_from(
        ["ts-output-done", "m-load-done", "m-ready", "e-[fault pc=0xffffffffffffffffff lr=0x1]", ""]
    ),
    names,
)


@given(
    changed=st.dictionaries(st.sampled_from([*INFO, "clock_hz", "input_1_bytes"]), numbers, max_size=2),
    said=st.lists(st.lists(lines, max_size=6), min_size=12, max_size=40),
    ready=st.booleans(),
)
def test_answers_from_a_grammar_end_in_values_or_errors(
    changed: dict[str, str], said: list[list[str]], ready: bool
) -> None:
    answers = iter(said)

    def say(command: str) -> Iterator[bytes]:
        if command == "ts-info":
            yield info_lines(changed).encode() + b"m-ready\r\n"
            return
        text = "".join(f"{line}\r\n" for line in next(answers, []))
        yield text.encode(errors="replace") + (b"m-ready\r\n" if ready else b"")

    begin = time.thread_time()
    ask_everything(Client(Device(say)))
    assert time.thread_time() - begin < 2


ENDLESS = {
    "valid lines": lambda: itertools.repeat(b"m-lap-us-1\r\n" * 50),
    "one line": lambda: itertools.repeat(b"m-name-dut-[" + b"a" * 5000),
    "ticks": lambda: itertools.repeat(b"ts-ticks-[1]\r\n"),
    "refusals": lambda: itertools.repeat(b"e-[no]\r\n"),
    "empty lines": lambda: itertools.repeat(b"\r\n"),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_an_answer_without_end_is_ended(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "SETTLE_S", 0.05)

    def say(command: str) -> Iterator[bytes]:
        if command == "ts-info":
            return iter([info_lines({}).encode() + b"m-ready\r\n"])
        return ENDLESS[what]()

    client = Client(Device(say))
    client.identify()
    begin = time.thread_time()  # it never waits
    with pytest.raises(DeviceError):
        client.infer(3)
    assert time.thread_time() - begin < 5


def test_a_line_that_drips_is_given_up_when_its_time_is_over() -> None:
    dripped = 0

    def drip() -> Iterator[bytes]:
        nonlocal dripped
        for dripped in itertools.count(1):  # noqa: B007
            time.sleep(0.01)
            yield b"m"

    link = Device(lambda command: drip())
    link.read_line(1)
    link.read_line(1)
    link.write(b"name%")
    with pytest.raises(DeviceError, match="no answer within"):
        link.read_line(0.2)
    assert dripped <= 0.2 / 0.01 + 1
    assert len(link.partial_line) < MAX_LINE_BYTES


def test_firmware_that_answers_everything_and_has_no_name_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "SETTLE_S", 0.05)
    monkeypatch.setattr("tinyserve.devices.client.client.WIRE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(Device, "is_wire", True)
    device = Device(lambda command: iter([b"m-ready\r\n"]))
    device.read_line(1)
    device.read_line(1)
    with pytest.raises(DeviceError, match="has no name"):
        Client(device).identify()


@pytest.mark.parametrize(("unit", "is_taken"), [("cycles", False), ("instructions", False), ("us", True)])
def test_an_inference_takes_cycles_but_may_take_no_microsecond(unit: str, is_taken: bool) -> None:
    answers = {"ts-info": info_lines({"tick_unit": unit}), "ts-infer 1 0": "ts-ticks-[0]\r\n"}
    client = Client(Device(lambda command: iter([f"{answers[command]}m-ready\r\n".encode()])))
    client.identify()
    if is_taken:
        assert client.infer(1) == [0]
    else:
        with pytest.raises(DeviceError, match="ts-infer is malformed"):
            client.infer(1)
