# SPDX-License-Identifier: Apache-2.0
"""Real ports: found by USB id, opened for us alone, and every refusal says what to do."""

from __future__ import annotations

import errno
import os
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tinyserve import boards
from tinyserve.devices import serial as ports
from tinyserve.devices.link import LinkClosed
from tinyserve.errors import DeviceError, UsageError
from tinyserve.platforms.darwin import Darwin
from tinyserve.platforms.windows import Windows

NANO33 = boards.load("nano33")


@dataclass
class FakePort:
    """A port as pyserial lists it."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    description: str = ""


def ids(role: str = "application") -> tuple[int, int]:
    usb = next(usb for usb in NANO33.usb if usb.role == role)
    return usb.vid, usb.pid


def listing(*seen: FakePort) -> Callable[[], list[FakePort]]:
    return lambda: list(seen)


OTHER = FakePort("/dev/ttyUSB7", 0x1234, 0x5678)
LEGACY = FakePort("/dev/ttyS0")


def test_the_port_with_the_board_s_id_is_found() -> None:
    board = FakePort("/dev/ttyACM3", *ids())
    assert ports.find_port(NANO33, listing(OTHER, LEGACY, board)) == "/dev/ttyACM3"


def test_two_boards_of_a_kind_are_named_with_their_serial_numbers() -> None:
    two = [FakePort(f"/dev/ttyACM{i}", *ids(), serial_number=f"SN{i}") for i in range(2)]
    with pytest.raises(DeviceError, match=r"2 ports could be it.*ttyACM0.*SN0.*ttyACM1.*SN1") as caught:
        ports.find_port(NANO33, listing(*two))
    assert "--port /dev/ttyACM0" in caught.value.hint


def test_no_board_names_the_id_and_what_is_there() -> None:
    vid, pid = ids()
    with pytest.raises(DeviceError, match=rf"{vid:04x}:{pid:04x}.*ttyUSB7 \(1234:5678\), /dev/ttyS0"):
        ports.find_port(NANO33, listing(OTHER, LEGACY))
    with pytest.raises(DeviceError, match="ports seen: none"):
        ports.find_port(NANO33, listing())


def test_two_ports_of_one_board_are_no_two_boards() -> None:
    """As a debug probe has them that carries the lines of two cores."""
    two = [FakePort(f"/dev/ttyACM{i}", *ids(), serial_number="SN0") for i in range(2)]
    with pytest.raises(DeviceError, match="2 ports of one device could be it") as caught:
        ports.find_port(NANO33, listing(*two))
    assert "monitor" in caught.value.hint


def test_an_empty_name_is_no_port() -> None:
    """As a script's unset variable gives it."""
    with pytest.raises(UsageError, match="--port is empty"):
        ports.require_port(NANO33, " ")


def test_a_board_without_ids_takes_no_port_that_merely_exists() -> None:
    """A Blue Pill hangs on whatever adapter there is: the only port may be another board."""
    bluepill = boards.load("bluepill")
    with pytest.raises(DeviceError, match="no USB id to find it by; ports seen: /dev/ttyUSB7") as caught:
        ports.find_port(bluepill, listing(OTHER))
    assert "--port /dev/ttyUSB7" in caught.value.hint


def test_looking_takes_the_only_usb_port() -> None:
    assert ports.only_port(listing(OTHER, LEGACY)) == "/dev/ttyUSB7"
    with pytest.raises(DeviceError, match="2 ports show a USB id"):
        ports.only_port(listing(OTHER, FakePort("/dev/ttyACM0", *ids())))
    with pytest.raises(DeviceError, match="0 ports"):
        ports.only_port(listing(LEGACY))


def test_the_connector_that_stays_silent_is_named() -> None:
    """ESP32 development kits have two; the firmware speaks on the bridge's."""
    native = FakePort("/dev/ttyACM0", 0x303A, 0x1001)
    with pytest.raises(DeviceError, match="no port shows") as caught:
        ports.find_port(boards.load("esp32-s3-devkit"), listing(native))
    assert "/dev/ttyACM0 is the board's native port, which stays silent" in caught.value.hint


def test_a_board_that_enumerates_again_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "POLL_S", 0.001)
    states = iter([listing(OTHER)(), listing()(), listing(OTHER, FakePort("/dev/ttyACM1", *ids()))()])
    assert ports.await_port(NANO33, ports=lambda: next(states)) == "/dev/ttyACM1"


def test_a_board_that_does_not_come_back_is_said_so() -> None:
    with pytest.raises(DeviceError, match=r"waited 0\.01 s"):
        ports.await_port(NANO33, timeout_s=0.01, ports=listing(OTHER))


def test_a_port_that_goes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "POLL_S", 0.001)
    states = iter([listing(OTHER)(), listing(OTHER)(), listing()()])
    assert ports.await_gone(OTHER.device, ports=lambda: next(states))
    assert not ports.await_gone(OTHER.device, timeout_s=0.01, ports=listing(OTHER))


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A pty: the master's descriptor and the port's path."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    for descriptor in (master, slave):
        with suppress(OSError):
            os.close(descriptor)


def test_a_second_program_is_refused(terminal: tuple[int, str]) -> None:
    link = ports.SerialLink(terminal[1], NANO33)
    try:
        with pytest.raises(DeviceError, match="another program has it open") as caught:
            ports.SerialLink(terminal[1], NANO33)
        assert "serial monitors" in caught.value.hint
    finally:
        link.close()
    ports.SerialLink(terminal[1], NANO33).close()


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match=r"there is no such port; ports seen: ") as caught:
        ports.SerialLink("/dev/no-such-port", NANO33)
    assert "--port auto" in caught.value.hint


def test_no_permission_comes_with_the_udev_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(ports.serial, "serial_for_url", refuse)
    with pytest.raises(DeviceError, match="no permission") as caught:
        ports.SerialLink("/dev/ttyACM0", NANO33)
    vid, pid = ids()
    assert f'ATTRS{{idVendor}}=="{vid:04x}", ATTRS{{idProduct}}=="{pid:04x}"' in caught.value.hint
    assert "dialout" in caught.value.hint


def test_no_permission_without_udev_names_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(ports.serial, "serial_for_url", refuse)
    monkeypatch.setattr(ports.platforms, "here", Darwin)
    with pytest.raises(DeviceError, match="no permission") as caught:
        ports.SerialLink("/dev/cu.usbmodem 1", NANO33)
    assert caught.value.hint == "ls -l '/dev/cu.usbmodem 1' shows who may open it"


def test_lines_and_a_vanishing_device(terminal: tuple[int, str]) -> None:
    master, path = terminal
    link = ports.SerialLink(path, NANO33)
    os.write(master, b"m-ready\r\n")
    assert link.read_line(60) == "m-ready"
    link.write(b"name%")
    assert os.read(master, 100) == b"name%"
    os.close(master)
    with pytest.raises(LinkClosed, match=r"vanished.*received last: 'm-ready'") as caught:
        link.read_line(60)
    assert "cable" in caught.value.hint
    with pytest.raises(LinkClosed):
        link.write(b"name%")
    link.close()


def test_the_1200_baud_touch(terminal: tuple[int, str]) -> None:
    master, path = terminal
    ports.touch_1200(path, NANO33)
    assert termios.tcgetattr(master)[5] == termios.B1200


def test_every_id_of_a_board_has_its_rule() -> None:
    rules = ports.udev_rule(NANO33).splitlines()
    assert len(rules) == len(NANO33.usb)
    assert all(rule.startswith('SUBSYSTEMS=="usb"') for rule in rules)


WINDOWS_BUSY = "could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)"
WINDOWS_ABSENT = (
    "could not open port 'COM9': FileNotFoundError(2, 'The system cannot find the file', None, 2)"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [(WINDOWS_BUSY, "another program has it open"), (WINDOWS_ABSENT, "there is no such port")],
)
def test_what_windows_says_of_a_port_is_understood(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyserial gives the system's error as text there, and access is denied to a port that is in use."""

    def refuse(*args: object, **options: object) -> None:
        raise ports.serial.SerialException(text)

    monkeypatch.setattr(ports.serial, "serial_for_url", refuse)
    monkeypatch.setattr(ports.platforms, "here", lambda: Windows(kernel32=object()))
    with pytest.raises(DeviceError, match=said):
        ports.SerialLink("COM3", NANO33)
