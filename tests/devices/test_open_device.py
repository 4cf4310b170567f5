# SPDX-License-Identifier: Apache-2.0
"""Which device a board gets, and that what was opened is closed."""

from __future__ import annotations

import pytest

from tests.devices.conftest import BuildProbe, Probe
from tinyserve import boards
from tinyserve.devices import open_device, select_emulator
from tinyserve.devices.link import LinkClosed
from tinyserve.errors import DeviceError, UsageError


@pytest.mark.parametrize(
    ("board", "asked", "kind"),
    [
        ("cortex-m4", None, "unicorn"),
        ("mps2-an385", None, "qemu"),
        ("mps2-an385", "unicorn", "unicorn"),
        ("rv32imc", None, "unicorn"),
        ("rv32imc", "qemu", "qemu"),
        ("nano33", None, "unicorn"),
        ("host", None, "host"),
    ],
)
def test_the_emulator_is_the_one_asked_for_else_the_board_s_first(
    board: str, asked: str | None, kind: str
) -> None:
    assert select_emulator(boards.load(board), asked).kind == kind


@pytest.mark.parametrize(
    ("board", "asked", "message"),
    [
        ("nano33", "qemu", '"qemu" does not run it'),
        ("mps3-an547", "unicorn", '"unicorn" does not run it'),
        ("esp32dev", None, "no emulator runs it"),
    ],
)
def test_an_emulator_that_does_not_run_the_board_is_refused(
    board: str, asked: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        select_emulator(boards.load(board), asked)


def test_an_emulator_needs_a_firmware() -> None:
    with pytest.raises(UsageError, match="needs a firmware"), open_device(None, boards.load("cortex-m4")):
        pass


def test_auto_without_a_board_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyserve.devices.serial.find_port.__defaults__", (list, "application"))
    with (
        pytest.raises(DeviceError, match="ports seen: none"),
        open_device(None, boards.load("nano33"), port="auto"),
    ):
        pass


@pytest.mark.parametrize(("name", "emulator"), [("cortex-m4", "unicorn"), ("mps2-an385", "qemu")])
def test_the_device_is_closed_on_errors_too(build_probe: BuildProbe, name: str, emulator: str) -> None:
    firmware, board = build_probe(name)
    kept = []
    with pytest.raises(ZeroDivisionError), open_device(firmware, board, emulator) as device:
        kept.append(device)
        raise ZeroDivisionError
    with pytest.raises(LinkClosed):
        kept[0].link.read_line(1)
    kept[0].close()


def test_a_description_names_board_and_emulator(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("cortex-m4")
    with open_device(Probe(firmware.elf), board) as device:
        assert "cortex-m4" in device.description
        assert "Unicorn" in device.description
        assert device.tick_unit == "instructions"
