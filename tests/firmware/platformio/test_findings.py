# SPDX-License-Identifier: Apache-2.0
"""What doctor and setup say of a real board: packages, port, permission, udev rule."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.firmware.platformio.conftest import FakePort
from tinyserve import boards, doctor
from tinyserve.boards.types import Board
from tinyserve.cli.main import main
from tinyserve.doctor import Finding
from tinyserve.errors import ToolError
from tinyserve.firmware.platformio import environment, findings, packages

NANO33 = boards.load("nano33")


def found(ports: list[FakePort], board: Board = NANO33) -> dict[str, Finding]:
    return {one.name: one for one in findings.board_findings(board, lambda: ports)}


def test_a_platform_that_is_missing_is_needed() -> None:
    missing = found([])["platform nordicnrf52"]
    assert missing.needed
    assert not missing.ok
    assert missing.remedy == "tinyserve setup --board nano33"


def test_installed_packages_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "lacking", lambda board: [])
    assert found([])["PlatformIO packages"].found == "platform nordicnrf52"


def test_a_broken_platformio_is_a_finding_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(board: Board) -> list[str]:
        raise ToolError("PlatformIO is not installed", "pip install it")

    monkeypatch.setattr(environment, "lacking", fail)
    broken = found([])["PlatformIO packages"]
    assert (broken.ok, broken.needed, broken.remedy) == (False, True, "pip install it")


def test_a_board_that_is_not_connected_is_no_failure() -> None:
    port = found([])["serial port"]
    assert not port.ok
    assert not port.needed


@pytest.mark.parametrize("allowed", [True, False])
def test_a_connected_board_s_port_must_be_ours_to_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    port = tmp_path / "ttyACM0"
    port.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: allowed)
    seen = found([FakePort(str(port), NANO33.usb[0].vid, NANO33.usb[0].pid)])
    assert seen["serial port"].found == str(port)
    assert seen["permission"].needed
    assert seen["permission"].ok == allowed


def test_the_udev_rule_is_found_by_the_vendor_s_id(tmp_path: Path) -> None:
    assert findings.udev_rule_file(NANO33, (tmp_path,)) == ""
    (tmp_path / "10-other.rules").write_text('ATTRS{idVendor}=="0483", MODE="0660"\n# 2341\n')
    assert findings.udev_rule_file(NANO33, (tmp_path,)) == ""
    rule = tmp_path / "99-arduino.rules"
    rule.write_text('SUBSYSTEM=="tty", ATTRS{idVendor}=="2341", MODE="0660"\n')
    assert findings.udev_rule_file(NANO33, (tmp_path,)) == str(rule)


def test_the_twin_needs_none_of_it() -> None:
    names = {one.name for one in doctor.examine(NANO33, emulate=True)}
    assert "serial port" not in names
    assert main(["doctor", "--board", "nano33", "--emulate"]) == 0


def test_setup_makes_the_core_directory_and_shows_the_rule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "registry_is_reachable", lambda: False)
    monkeypatch.setattr(findings.udev_rule_file, "__defaults__", ((),))
    assert main(["setup", "--board", "nano33"]) == 6
    shown = capsys.readouterr()
    assert "PlatformIO core directory: " in shown.out
    assert 'ATTRS{idVendor}=="2341"' in shown.out
    assert "not installed: platform nordicnrf52" in shown.err
    assert main(["setup", "--board", "cortex-m4"]) == 0
