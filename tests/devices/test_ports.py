# SPDX-License-Identifier: Apache-2.0
"""Ports that URLs name: what leads to a board is opened, all else is refused before it does anything."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tinyserve import boards
from tinyserve.bench.energy.port import MeterPort
from tinyserve.cli.main import main
from tinyserve.devices.ports import checked
from tinyserve.devices.serial import SerialLink, require_port
from tinyserve.errors import DeviceError, UsageError

NANO33 = boards.load("nano33")


@dataclass
class Listed:
    """A port as pyserial lists it."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    description: str = ""


SEEN = [
    Listed("/dev/ttyACM0", 0x2341, 0x805A, "A(1)", "Nano 33 BLE"),
    Listed("/dev/ttyACM1", 0x2341, 0x0042, None, "Mega"),
    Listed("/dev/ttyS0"),
]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("loop://", "gives back what it is sent"),
        ("LOOP://?logging=debug", "gives back what it is sent"),
        ("spy:///dev/ttyUSB0?file=trace.txt", "writes what passes to a file"),
        ("alt:///dev/ttyUSB0?class=PosixPollSerial", "loads a class"),
        ("cp2110://0001-004a-00", "is a bridge"),
        ("file:///etc/passwd", "is no port"),
        ("://", "is no port"),
        ("socket://", "not a host and a port's number"),
        ("socket://host", "not a host and a port's number"),
        ("socket://host:0", "not a host and a port's number"),
        ("socket://host:99999", "not a host and a port's number"),
        ("socket://host:http", "not a host and a port's number"),
        ("socket://[::1:4000", "not a host and a port's number"),
        ("socket://user:secret@host:4000", "not a host and a port's number"),
        ("socket://host:4000/path", "not a host and a port's number"),
        ("socket://host:4000?logging=debug", "logging=debug is none of its options"),
        ("rfc2217://host:4000?timeout=1e9", "timeout=1e9 is none of its options"),
        ("hwgrep://", "no text to look for"),
    ],
)
def test_a_url_that_leads_to_no_board_is_refused(url: str, said: str, tmp_path: Path) -> None:
    for use in (
        lambda: require_port(NANO33, url),
        lambda: SerialLink(url, NANO33),
        lambda: MeterPort(url, 115200, "meter"),
    ):
        with pytest.raises(UsageError) as caught:
            use()
        assert said in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(
    "url", ["socket://host:4000", "socket://[::1]:4000/", "rfc2217://host:4000?ign_set_control"]
)
def test_lines_behind_a_serial_server_are_taken_as_they_are(url: str) -> None:
    assert checked(url) == url


@pytest.mark.parametrize("text", ["805a", "2341:805A", "nano 33", "a(1)", "ACM0"])
def test_hwgrep_finds_the_one_port_that_has_the_text(text: str) -> None:
    assert checked(f"hwgrep://{text}", lambda: SEEN) == "/dev/ttyACM0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2341", "2 ports have it: /dev/ttyACM0, /dev/ttyACM1"),
        ("(.*)*x", "no port has it"),
        ("none", "no port"),
    ],
)
def test_hwgrep_takes_no_port_that_may_be_another(text: str, said: str) -> None:
    with pytest.raises(DeviceError) as caught:
        checked(f"hwgrep://{text}", lambda: SEEN)
    assert said in caught.value.message
    assert "/dev/ttyS0" in caught.value.message


def test_a_board_behind_a_socket_is_spoken_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                asked = connection.recv(100)
                connection.sendall(b"m-name-dut-[" + asked + b"]\r\nm-ready\r\n")
                connection.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        link = SerialLink(f"socket://127.0.0.1:{port}", NANO33)
        link.write(b"name%")
        assert link.read_line(60) == "m-name-dut-[name%]"
        assert link.read_line(60) == "m-ready"
        link.close()
        thread.join(60)


def test_a_host_that_does_not_answer_ends_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        port = silent.getsockname()[1]
        begun = time.monotonic()
        assert main(["monitor", "--board", "nano33", "--port", f"socket://127.0.0.1:{port}"]) == 8
        assert time.monotonic() - begun < 60
    shown = capsys.readouterr().err
    assert f"cannot open socket://127.0.0.1:{port}" in shown
    assert "internal error" not in shown


def test_what_is_no_serial_port_is_named(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("text")
    for path in (plain, tmp_path):
        with pytest.raises(DeviceError, match="it is no serial port"):
            SerialLink(str(path), NANO33)
    assert plain.read_text() == "text"
