# SPDX-License-Identifier: Apache-2.0
"""Flashing a real board: a stand-in uploads, and the board that answers afterwards is a twin on a pty."""

from __future__ import annotations

import os
import tty
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.firmware.platformio.conftest import FakePio, FakePort, standing
from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.devices.client import client
from tinyserve.errors import DeviceError, FitError
from tinyserve.firmware.build import Firmware
from tinyserve.firmware.platformio import flash
from tinyserve.firmware.platformio.project import render_project
from tinyserve.firmware.render import Project

NANO33 = boards.load("nano33")
APPLICATION = (0x2341, 0x805A)
BOOTLOADER = (0x2341, 0x005A)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return render_project(tiny_model(), NANO33, tmp_path / "project")


def listing(*seen: FakePort) -> Callable[[], list[FakePort]]:
    return lambda: list(seen)


def test_the_board_s_port_is_used_and_its_firmware_checked(
    project: Project, fake_pio: FakePio, nano33_twin: Firmware, tmp_path: Path
) -> None:
    with standing(nano33_twin) as path:
        flashed = flash.flash(project, fake_pio(), ports=listing(FakePort(path, *APPLICATION)))
    assert flashed.port == path
    assert flashed.info.model_sha256 == project.model.sha256
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == ["run", f"run -t upload --upload-port {path}"]


def test_another_model_s_firmware_is_recognised(
    project: Project, fake_pio: FakePio, nano33_twin: Firmware
) -> None:
    other = replace(project, model=replace(project.model, sha256="ab" * 32))
    with standing(nano33_twin) as path, pytest.raises(DeviceError, match="another model"):
        flash.flash(other, fake_pio(), ports=listing(FakePort(path, *APPLICATION)))


def test_another_board_s_firmware_is_recognised(
    project: Project, fake_pio: FakePio, nano33_twin: Firmware
) -> None:
    other = replace(project, board=boards.load("nano33ble-sense-rev2"))
    with standing(nano33_twin) as path, pytest.raises(DeviceError, match="was built for nano33"):
        flash.flash(other, fake_pio(), path, ports=listing())


def test_a_silent_firmware_is_said_to_be_silent(
    project: Project, fake_pio: FakePio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WIRE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(client, "WIRE_GREETING_S", 0.1)
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    try:
        with pytest.raises(DeviceError, match="uploaded, but the firmware never said m-ready") as caught:
            flash.flash(project, fake_pio(), ports=listing(FakePort(path, *APPLICATION)))
    finally:
        os.close(master)
        os.close(slave)
    assert f"tinyserve monitor --port {path}" in caught.value.hint


def test_an_overflow_stops_before_the_upload(project: Project, fake_pio: FakePio, tmp_path: Path) -> None:
    pio = fake_pio(build="FAILregion `FLASH' overflowed by 5000 bytes")
    with pytest.raises(FitError, match="5,000 bytes over"):
        flash.flash(project, pio, ports=listing(FakePort("/dev/none", *APPLICATION)))
    assert (tmp_path / "calls").read_text() == "run"


def test_a_board_that_ignores_platformio_is_touched_and_tried_again(
    project: Project,
    fake_pio: FakePio,
    nano33_twin: Firmware,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    touched: list[str] = []
    monkeypatch.setattr(flash, "touch_1200", lambda port, board: touched.append(port))
    pio = fake_pio(upload=["FAILNo device found on port", "Writing 100%"])
    with standing(nano33_twin) as path:
        seen = [FakePort(path, *APPLICATION), FakePort("/dev/bootloader", *BOOTLOADER)]
        assert flash.flash(project, pio, ports=listing(*seen)).port == path
    assert touched == [path]
    assert (tmp_path / "calls").read_text().endswith("--upload-port /dev/bootloader")


def test_an_upload_that_breaks_off_is_not_repeated_blindly(
    project: Project, fake_pio: FakePio, tmp_path: Path
) -> None:
    pio = fake_pio(upload=["FAILWriting 10%\nwrite failed"])
    with pytest.raises(DeviceError, match="broke off half-way"):
        flash.flash(project, pio, ports=listing(FakePort("/dev/none", *APPLICATION)))
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


def test_a_board_that_does_not_come_back_is_said_so(project: Project, fake_pio: FakePio) -> None:
    seen = iter([[FakePort("/dev/none", *APPLICATION)]])
    with pytest.raises(DeviceError, match=r"waited 0\.01 s"):
        flash.flash(project, fake_pio(), ports=lambda: next(seen, []), appear_timeout_s=0.01)


def test_a_port_that_is_listed_longer_than_it_lives_is_looked_for_again(
    project: Project, fake_pio: FakePio, nano33_twin: Firmware
) -> None:
    with standing(nano33_twin) as path:
        stale, fresh = [FakePort("/dev/gone", *APPLICATION)], [FakePort(path, *APPLICATION)]
        seen = iter([stale, stale])
        assert flash.flash(project, fake_pio(), ports=lambda: next(seen, fresh)).port == path


def test_a_port_that_comes_and_goes_is_said_to(project: Project, fake_pio: FakePio) -> None:
    once = [FakePort("/dev/gone", *APPLICATION)]
    seen = iter([once, *[once, []] * flash.RECONNECTS])
    with pytest.raises(DeviceError, match="comes and goes"):
        flash.flash(project, fake_pio(), ports=lambda: next(seen))


def test_a_named_port_may_come_back_under_another_name(
    project: Project, fake_pio: FakePio, nano33_twin: Firmware
) -> None:
    with standing(nano33_twin) as path:
        ports = listing(FakePort(path, *APPLICATION))
        assert flash.flash(project, fake_pio(), "/dev/gone", ports=ports).port == path
    with pytest.raises(DeviceError, match="/dev/gone did not come back"):
        flash.flash(project, fake_pio(), "/dev/gone", ports=listing(), appear_timeout_s=0.01)


def test_a_board_in_its_bootloader_is_taken() -> None:
    assert flash.upload_port(NANO33, "auto", listing(FakePort("/dev/b", *BOOTLOADER))) == "/dev/b"


def test_a_new_board_may_have_no_port() -> None:
    assert flash.upload_port(NANO33, "none", listing()) is None
    with pytest.raises(DeviceError, match="no port shows its USB id") as caught:
        flash.upload_port(NANO33, "auto", listing())
    assert "--port none" in caught.value.hint


def test_a_port_of_another_board_is_refused() -> None:
    pico = boards.load("pico").usb[0]
    seen = listing(FakePort("/dev/p", pico.vid, pico.pid), FakePort("/dev/u", 0x1234, 0x5678))
    with pytest.raises(DeviceError, match=r"/dev/p is no nano33: its USB id 2e8a:00c0 is that of pico"):
        flash.upload_port(NANO33, "/dev/p", seen)
    assert flash.upload_port(NANO33, "/dev/u", seen) == "/dev/u"
