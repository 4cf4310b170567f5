# SPDX-License-Identifier: Apache-2.0
"""The launcher, with a program that finds and asks devices as MLCommons' runner does."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tinyserve.cli.main import main
from tinyserve.devices.runner import Runner, offer_port
from tinyserve.errors import FileSystemError, ToolError

DEVICES = """
- {name: stm32h573i-dk, type: interface, preference: 2, usb: {0x0483: 0x374E}}
- {name: l4r5zi, type: dut, usb: {0x0483: [0x374B, 0x374C]}}
"""
NEEDED = ("yaml", "sklearn")


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory as benchmark/runner of mlcommons/tiny, with the imitation in it."""
    for name in NEEDED:
        pytest.importorskip(name)
    directory = tmp_path / "runner"
    directory.mkdir()
    shutil.copy(Path(__file__).with_name("imitation.py"), directory / "main.py")
    (directory / "devices.yaml").write_text(DEVICES)
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "shapes.tflite")
    return directory


def test_the_unmodified_runner_finds_the_twin_s_pseudo_terminal(
    runner: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status = main(
        ["mlperf-runner", "runner", "--model", "shapes.tflite", "--board", "nano33",
         "--", "--bytes", "64", "--mode=p"]
    )  # fmt: skip
    shown = capfd.readouterr()
    assert status == 0, shown.err
    said = json.loads(shown.out.splitlines()[-1])
    assert said["name"] == "tinyserve, emulated: times are estimates"
    assert (said["model"], said["mode"]) == ("shapes", "p")
    assert len(said["results"]) == 1
    assert said["us"] > 0


def test_a_long_emulated_inference_does_not_end_the_runner_s_patience(
    runner: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """35,000 inferences are more than six seconds in the emulator; the runner waits for five."""
    status = main(
        ["mlperf-runner", "runner", "--model", "shapes.tflite", "--board", "cortex-m4",
         "--", "--bytes=64", "--infer", "35000 1"]
    )  # fmt: skip
    shown = capfd.readouterr()
    assert status == 0, shown.err


def test_the_runner_s_own_status_is_passed_on(runner: Path) -> None:
    (runner / "main.py").write_text("import sys\nsys.exit(7)\n")
    arguments = ["mlperf-runner", "runner", "--model", "shapes.tflite", "--board", "cortex-m4"]
    assert main(arguments) == 7


def test_a_board_at_a_port_is_offered_as_it_is(runner: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (runner / "main.py").write_text(
        "from serial.tools import list_ports\n"
        "print([(p.device, hex(p.vid), hex(p.pid)) for p in list_ports.comports(True) if p.vid])\n"
    )
    assert main(["mlperf-runner", "runner", "--board", "nano33", "--port", "/dev/ttyS77"]) == 0
    assert "[('/dev/ttyS77', '0x483', '0x374b')]" in capfd.readouterr().out


def test_what_is_missing_is_said_before_anything_is_built(runner: Path, tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match=r"no main\.py here"):
        Runner(tmp_path).check()
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(ToolError, match="the runner's packages are not there"):
        Runner(runner, python=str(bare)).check()
    with pytest.raises(ToolError, match="No such file"):
        Runner(runner, python=str(tmp_path / "nothing")).check()
    assert main(["mlperf-runner", "runner", "--board", "nano33"]) == 2


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ([], "devices.yaml"),
        (["-d", "mine.yaml"], "mine.yaml"),
        (["-dmine.yaml"], "mine.yaml"),
        (["--mode=p", "--device_list=mine.yaml"], "mine.yaml"),
    ],
)
def test_the_runner_s_own_device_list_is_read(arguments: list[str], path: str) -> None:
    assert offer_port.device_list(arguments) == path
