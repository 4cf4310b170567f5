"""The client over a serial line that loses, garbles, delays and cuts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.devices.client.conftest import BuildTiny
from tests.devices.client.test_client import SUM, run
from tests.devices.faulty_line import FaultyLine, Once, faulty_line
from tinyserve.devices import open_device
from tinyserve.devices.client import Client, client, exchange
from tinyserve.devices.client.exchange import Garbage
from tinyserve.devices.link import LinkClosed, NoAnswer
from tinyserve.devices.serial import SerialLink
from tinyserve.errors import DeviceError


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(client, "WIRE_GREETING_S", 0.5)
    monkeypatch.setattr(client, "GREETING_TIMEOUT_S", 3.0)


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


def test_a_board_on_a_serial_line_runs_the_model(line: FaultyLine, build_tiny: BuildTiny) -> None:
    with connected(line, build_tiny) as made:
        assert run(made)[0] == SUM


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
