# SPDX-License-Identifier: Apache-2.0
"""`flash` and `export` as a user runs them: PlatformIO for real, on emulated boards, without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tinyserve.cli.main import main
from tinyserve.cli.model import export as export_command
from tinyserve.firmware.export import KINDS
from tinyserve.firmware.platformio import packages
from tinyserve.resources import data_directory

pytestmark = pytest.mark.usefixtures("workshop")


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PLATFORMIO_CORE_DIR", raising=False)
    monkeypatch.setattr(packages, "registry_is_reachable", lambda: False)
    write_classifier(tmp_path / "shapes.tflite")


def test_flash_builds_with_platformio_and_starts_the_twin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flash", "shapes.tflite", "--board", "nano33", "--emulate"]) == 0
    shown = capsys.readouterr().out
    assert "m-ready" in shown
    assert "board nano33" in shown
    assert Path("build/shapes.bundle/nano33-platformio/platformio.ini").exists()


def test_a_real_board_s_missing_platform_ends_in_6_without_a_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["flash", "shapes.tflite", "--board", "nano33"]) == 6
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "not installed: platform nordicnrf52" in shown.err
    assert "tinyserve setup --board nano33" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--board", "host"], "nothing to upload to"),
        (["--board", "esp32dev", "--emulate"], "can't be emulated"),
        (["--board", "cortex-m4", "--engine", "tflm"], "engine aot"),
        (["--board", "nano33", "--emulate", "--port", "/dev/ttyACM0"], "give one of them"),
    ],
)
def test_what_contradicts_itself_ends_in_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flash", "shapes.tflite", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_board_of_one_s_own_has_no_twin_in_platformio(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(data_directory("boards") / "nano33.toml", "mine.toml")
    assert main(["flash", "shapes.tflite", "--board", "mine.toml", "--emulate"]) == 2
    assert "tinyserve bench --board mine.toml --emulate" in capsys.readouterr().err


def test_export_says_where_the_project_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "shapes.tflite", "--as", "cmake", "-o", "out"]) == 0
    assert "out/README.md" in capsys.readouterr().out
    assert Path("out/CMakeLists.txt").exists()
    assert main(["export", "shapes.tflite", "--as", "zephyr", "-o", "out2"]) == 2
    assert "needs a board" in capsys.readouterr().err


def test_the_command_knows_every_kind_of_export() -> None:
    assert set(export_command.KINDS) == set(KINDS)
