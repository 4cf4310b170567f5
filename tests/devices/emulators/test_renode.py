# SPDX-License-Identifier: Apache-2.0
"""The driver of Renode's monitor, against a fake of it that runs the firmware in Unicorn."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.bench.models import write_classifier
from tests.firmware.tiny_model import tiny_model
from tests.support.places import CHECKOUT
from tinyserve import boards, doctor
from tinyserve.cli.main import main
from tinyserve.devices import open_device, select_emulator
from tinyserve.devices.client import Client
from tinyserve.devices.link import LinkClosed, NoAnswer
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, ToolError, UsageError
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render

FAKE = CHECKOUT / "tests/devices/fake_renode.py"
ROOT = CHECKOUT


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "renode"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {FAKE} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def firmware_for(name: str, directory: Path) -> Firmware:
    return build(render(tiny_model(), boards.load(name), directory / "a project", emulate=True))


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("name", ["cortex-m4", "nano33", "rv32imc"])
def test_a_twin_holds_the_conversation(name: str, tmp_path: Path) -> None:
    firmware = firmware_for(name, tmp_path)
    with open_device(firmware, boards.load(name), "renode") as device:
        assert device.description.startswith(f"{name} emulated by Renode")
        client = Client(device.link)
        assert client.identify().board == name
        client.load(bytes([1, 2, 3, 4, 5, 6, 7, 8]), 0)
        client.load(bytes([0, 0xFF, 0, 1]), 1)
        client.infer(1, 0)
        assert bytes(client.outputs()[0]) == bytes([6, 8, 12, 16])


@pytest.mark.usefixtures("fake")
def test_bench_runs_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "shapes.tflite")
    assert main(["bench", "shapes.tflite", "--board", "nano33", "--emulator", "renode"]) == 0
    assert "equal byte for byte" in capsys.readouterr().out


@pytest.mark.usefixtures("fake")
def test_what_the_monitor_refuses_is_said(tmp_path: Path) -> None:
    firmware = firmware_for("cortex-m4", tmp_path)
    (tmp_path / "a project" / "renode" / "twin.repl").unlink()
    with (
        pytest.raises(DeviceError, match=r"(?s)refused .include.*Could not find file .*twin\.repl"),
        open_device(firmware, boards.load("cortex-m4"), "renode"),
    ):
        pass


@pytest.mark.usefixtures("fake")
def test_a_renode_that_ends_at_once_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_RENODE_DIES", "1")
    firmware = firmware_for("cortex-m4", tmp_path)
    with (
        pytest.raises(DeviceError, match=r"did not start: no usable \.NET was found"),
        open_device(firmware, boards.load("cortex-m4"), "renode"),
    ):
        pass


@pytest.mark.usefixtures("fake")
def test_silence_names_the_function_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = firmware_for("cortex-m4", tmp_path)
    address = next(start for start, name, _ in Symbols(firmware.elf).functions() if name == "main")
    monkeypatch.setenv("FAKE_RENODE_PC", hex(address))
    with open_device(firmware, boards.load("cortex-m4"), "renode") as device:
        Client(device.link).identify()
        with pytest.raises(NoAnswer, match="running main"):
            device.link.read_line(0.3)


@pytest.mark.usefixtures("fake")
def test_a_closed_device_says_so(tmp_path: Path) -> None:
    firmware = firmware_for("cortex-m4", tmp_path)
    with open_device(firmware, boards.load("cortex-m4"), "renode") as device:
        device.close()
        with pytest.raises(LinkClosed):
            device.link.write(b"name%")


def test_without_renode_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = firmware_for("cortex-m4", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with (
        pytest.raises(ToolError, match=r"(?s)Renode is not installed.*renode/releases"),
        open_device(firmware, boards.load("cortex-m4"), "renode"),
    ):
        pass


@pytest.mark.usefixtures("fake")
def test_a_firmware_without_its_script_is_built_again(tmp_path: Path) -> None:
    with (
        pytest.raises(ToolError, match="build the firmware again"),
        open_device(SimpleNamespace(elf=_bare_elf(tmp_path)), boards.load("cortex-m4"), "renode"),
    ):
        pass


def _bare_elf(directory: Path) -> Path:
    elf = firmware_for("cortex-m4", directory).elf
    return elf.rename(directory / "firmware.elf")


def test_only_cores_that_renode_has_are_run_by_it() -> None:
    assert select_emulator(boards.load("feather-m4"), "renode").machine == ""
    assert select_emulator(boards.load("nano33"), "renode").machine.endswith("arduino_nano_33_ble.repl")
    with pytest.raises(UsageError):
        select_emulator(boards.load("host"), "renode")


def test_doctor_says_how_to_get_it_and_that_it_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    (finding,) = (found for found in doctor.examine(boards.load("cortex-m4")) if found.name == "renode")
    assert not finding.ok and not finding.needed and "renode/releases" in finding.remedy
