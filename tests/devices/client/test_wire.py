# SPDX-License-Identifier: Apache-2.0
"""The client over a serial line that loses, garbles, delays and cuts."""

from __future__ import annotations

import os
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.devices.client.conftest import BuildTiny
from tests.devices.client.test_client import SUM, run
from tests.devices.faulty_line import FaultyLine, Once, faulty_line
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.boards.types import Board
from tinyserve.compiler.compile import compile_model
from tinyserve.devices import open_device
from tinyserve.devices.client import Client, client, exchange
from tinyserve.devices.client.exchange import Garbage
from tinyserve.devices.client.strangers import recognise
from tinyserve.devices.link import LinkClosed, NoAnswer
from tinyserve.devices.serial import SerialLink
from tinyserve.errors import DeviceError
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(client, "WIRE_ANSWER_S", 1.0)
    monkeypatch.setattr(client, "WIRE_GREETING_S", 0.5)
    monkeypatch.setattr(client, "WIRE_TIMEOUT_S", 3.0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, but a busy machine's board may answer late."""
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 60.0)
    monkeypatch.setattr(client, "WIRE_ANSWER_S", 60.0)


@pytest.fixture
def line(build_tiny: BuildTiny) -> Iterator[FaultyLine]:
    with faulty_line(*build_tiny("cortex-m4")) as made:
        yield made


@contextmanager
def connected(line: FaultyLine, build_tiny: BuildTiny) -> Iterator[Client]:
    link = SerialLink(line.path, build_tiny("cortex-m4")[1])
    try:
        made = Client(link)
        made.connect()
        yield made
    finally:
        link.close()


@pytest.mark.usefixtures("patient")
def test_a_board_on_a_serial_line_runs_the_model(line: FaultyLine, build_tiny: BuildTiny) -> None:
    with connected(line, build_tiny) as made:
        assert run(made)[0] == SUM


@pytest.mark.usefixtures("patient")
def test_open_device_takes_the_port(line: FaultyLine, build_tiny: BuildTiny) -> None:
    firmware, board = build_tiny("cortex-m4")
    with open_device(firmware, board, port=line.path) as device:
        assert run(Client(device.link))[0] == SUM
        assert device.tick_unit is None
        assert line.path in device.description


def test_a_board_that_runs_already_and_holds_half_a_command(line: FaultyLine, build_tiny: BuildTiny) -> None:
    with connected(line, build_tiny) as made:
        made._link.write(b"ts-inf")
    with connected(line, build_tiny) as made:
        assert made.name().startswith("tinyserve")
        assert run(made)[0] == SUM


def test_half_a_command_may_be_answered_late(line: FaultyLine, build_tiny: BuildTiny) -> None:
    with connected(line, build_tiny) as made:
        made._link.write(b"ts-inf")
    line.to_host = late = Once(b"unknown", lambda data: time.sleep(2 * exchange.QUIET_S) or data)
    with connected(line, build_tiny) as made:
        assert late.done
        assert made.name().startswith("tinyserve")


@pytest.mark.parametrize(
    "fault",
    [
        Once(b"db 0102", lambda data: data.replace(b"db 0102", b"db 012")),
        Once(b"db 0102", lambda data: data.replace(b"%", b"")),
        Once(b"db 0102", lambda data: b""),
        Once(b"db load", lambda data: data.replace(b"load", b"lo\xf0d")),
    ],
    ids=["a digit lost", "the end lost", "all lost", "garbled"],
)
def test_a_load_with_lost_or_garbled_bytes_is_done_again(
    line: FaultyLine, build_tiny: BuildTiny, fault: Once
) -> None:
    with connected(line, build_tiny) as made:
        made.identify()
        line.to_board = fault
        assert run(made)[0] == SUM
    assert fault.done


@pytest.mark.parametrize("command", [b"ts-info", b"ts-memory", b"ts-output"])
def test_questions_are_asked_again(line: FaultyLine, build_tiny: BuildTiny, command: bytes) -> None:
    fault = Once(command, lambda data: data.replace(b"ts", b"\x01\xff"))
    with connected(line, build_tiny) as made:
        if command != b"ts-info":
            run(made)
        line.to_host = fault
        assert made.identify().layers == 2
        assert made.memory().arena == 32
        if command == b"ts-output":
            assert made.outputs()[0] == SUM
    assert fault.done


def test_an_inference_is_not_repeated(line: FaultyLine, build_tiny: BuildTiny) -> None:
    # It changes a model's state: the user decides.
    with connected(line, build_tiny) as made:
        run(made)
        line.to_host = Once(b"ts-ticks", lambda data: data.replace(b"ts-ticks", b"ts\xffticks"))
        with pytest.raises(Garbage, match="not the protocol"):
            made.infer(1)
        assert made.outputs()[1] == bytes([2, 0, 0, 0])


def test_a_noisy_line_ends_in_an_error_not_in_retries_for_ever(
    line: FaultyLine, build_tiny: BuildTiny
) -> None:
    with connected(line, build_tiny) as made:
        line.to_host = lambda data: bytes(byte | 0x80 for byte in data)
        with pytest.raises((Garbage, NoAnswer)):
            made.name()


def test_another_program_on_the_port_is_told_from_a_board(line: FaultyLine, build_tiny: BuildTiny) -> None:
    line.to_host = lambda data: b"temperature 21.5\r\n" if data else b""
    with pytest.raises(DeviceError, match="temperature") as caught, connected(line, build_tiny):
        pass
    assert caught.match("tinyserve flash")


def test_slow_answers_are_waited_for(line: FaultyLine, build_tiny: BuildTiny) -> None:
    def late(data: bytes) -> bytes:
        time.sleep(0.05 if data else 0)
        return data

    with connected(line, build_tiny) as made:
        line.to_host = late
        assert made.identify().layers == 2


def test_a_cable_that_is_pulled_is_said_with_what_came_last(line: FaultyLine, build_tiny: BuildTiny) -> None:
    with connected(line, build_tiny) as made:
        made.identify()
        line.cut()
        with pytest.raises(LinkClosed, match=r"vanished.*received last: 'm-ready'"):
            made.name()


def test_noise_before_the_first_command_does_not_matter(line: FaultyLine, build_tiny: BuildTiny) -> None:
    line.inject(b"\x00\xff~~~\r\nnoise")
    with connected(line, build_tiny) as made:
        assert made.name().startswith("tinyserve")


def test_settle_drops_what_comes_late(line: FaultyLine, build_tiny: BuildTiny) -> None:
    with connected(line, build_tiny) as made:
        line.inject(b"m-late\r\n")
        exchange.Exchange(made._link).settle()
        assert made.name().startswith("tinyserve")


class Queue:
    """A receive queue that drops what comes while it is full, as that of the ESP32's USB serial does: what
    the host writes at once comes before the firmware reads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.dropped = 0

    def __call__(self, data: bytes) -> bytes:
        self.dropped += len(data) - len(data[: self.size])
        return data[: self.size]


@pytest.mark.parametrize("size", [256, 100])
def test_a_queue_that_drops_is_met_by_shorter_lines(
    size: int, line: FaultyLine, build_tiny: BuildTiny, tmp_path: Path
) -> None:
    firmware, board = large_input(tmp_path)
    with faulty_line(firmware, board) as wide:
        wide.to_board = queue = Queue(size)
        link = SerialLink(wide.path, board)
        try:
            made = Client(link)
            data = bytes(range(256)) * 4
            assert made.identify().line_bytes > size
            made.load(data)
            assert queue.dropped > 0
            queue.dropped = 0
            made.load(data)  # what the line takes is known now
            assert queue.dropped == 0
            made.infer(1)
            assert made.outputs()[0] == data
        finally:
            link.close()


def large_input(directory: Path) -> tuple[Firmware, Board]:
    """A model of 1,024 bytes that gives what it is given."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 1024), "int8", 0.5)
    y = graph.tensor((1, 1024), "int8", 0.5)
    graph.op("ADD", [x, graph.constant(np.zeros((1, 1024), np.int8), 0.5)], [y])
    graph.output(y)
    board = boards.load("cortex-m4")
    compiled = compile_model(model.build(), name="model")
    return build(render(compiled, board, directory, emulate=True)), board


@pytest.mark.parametrize(
    ("garbled", "said"),
    [
        (lambda data: b"\xf8\x9e\xfe\xe0\x06\xf8" * len(data) + b"\n", "the baud rate is another one"),
        (lambda data: b"\xf8\x80\xfe" * len(data), "the baud rate is another one"),
        (
            lambda data: data.replace(b"m-name", b"I (4711) wifi: connected\r\nm-name"),
            r"log output came between answers: 'I \(4711\) wifi: connected'",
        ),
        (
            lambda data: data.replace(b"m-name", b"[  1234][E][vfs_api.cpp:105] open(): no\r\nm-name"),
            "log output came between answers",
        ),
        (
            lambda data: data.replace(b"m-name", b"m-init-done\r\nm-ready\r\nm-name"),
            'the device restarted in the middle of "name"',
        ),
        (
            lambda data: data.replace(b"m-name", b"rst:0xc (SW_CPU_RESET),boot:0x13\r\nm-name"),
            "the device restarted in the middle",
        ),
        (
            lambda data: b"name%" + data if data.startswith(b"m-name") else data,
            "the line echoes what is sent",
        ),
        (lambda data: b"name%" * bool(data), "the line echoes what is sent"),
    ],
    ids=[
        "rate",
        "rate without line ends",
        "log of ESP-IDF",
        "log of Arduino",
        "restart",
        "boot loader",
        "echo",
        "TX wired to RX",
    ],
)
def test_what_is_wrong_on_a_line_is_named(
    garbled: Callable[[bytes], bytes], said: str, line: FaultyLine, build_tiny: BuildTiny
) -> None:
    with connected(line, build_tiny) as made:
        line.to_host = Lines(garbled)
        with pytest.raises(DeviceError, match=said) as caught:
            made.name()
        assert caught.value.hint


@pytest.mark.parametrize("line", ["ts-info-[inputs=99999999999]", "ts-infer-[1]", "ts-information"])
def test_an_answer_that_begins_with_its_command_s_name_is_no_echo(line: str) -> None:
    assert "echo" not in recognise(line, "ts-info").what


class Lines:
    """A fault that sees whole lines, however their bytes come."""

    def __init__(self, fault: Callable[[bytes], bytes]) -> None:
        self._fault = fault
        self._held = b""

    def __call__(self, data: bytes) -> bytes:
        whole, end, self._held = (self._held + data).rpartition(b"\n")
        return self._fault(whole + end) if end else b""


def test_a_board_that_resets_when_its_port_is_opened_and_greets_late(
    line: FaultyLine, build_tiny: BuildTiny
) -> None:
    line.to_host = Once(b"m-name", lambda data: b"m-init-done\r\nm-ready\r\n")
    with connected(line, build_tiny) as made:
        assert made.identify().layers == 2


@pytest.mark.parametrize("seed", range(3))
def test_a_bench_on_a_line_with_a_hundredth_of_the_bits_flipped_ends_soon(
    seed: int, build_tiny: BuildTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a result or an error: nothing waits for an inference whose command was lost."""
    monkeypatch.undo()  # real time-outs
    rng = np.random.default_rng(seed)

    def flip(data: bytes) -> bytes:
        bits = np.unpackbits(np.frombuffer(data, np.uint8))
        return np.packbits(bits ^ (rng.random(bits.size) < 0.01)).tobytes()

    firmware, board = build_tiny("cortex-m4")
    with faulty_line(firmware, board) as noisy:
        begin = time.monotonic()
        link = SerialLink(noisy.path, board)
        try:
            made = Client(link)
            made.connect()
            noisy.to_board = noisy.to_host = flip
            with suppress(DeviceError):
                run(made)
        finally:
            link.close()
        assert time.monotonic() - begin < 60


def test_a_port_that_says_nothing_is_given_up_in_time_and_what_was_tried_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "WIRE_TIMEOUT_S", 1.5)
    controller, port = os.openpty()
    tty.setraw(port)
    link = SerialLink(os.ttyname(port), boards.load("cortex-m4"))
    begin = time.monotonic()
    try:
        with pytest.raises(DeviceError) as caught:
            Client(link).identify()
    finally:
        link.close()
        os.close(controller)
        os.close(port)
    assert time.monotonic() - begin < 10  # the machine may be busy; a silent line took 22 s and more
    assert "no answer within 1.5 s; nothing was ever received" in caught.value.message
    assert "waited for a greeting, then asked for its name" in caught.value.message
    assert "reset button" in caught.value.hint
