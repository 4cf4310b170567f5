# SPDX-License-Identifier: Apache-2.0
"""The whole way to a real board with the real PlatformIO: `flash` builds the Arduino project, uploads it, and
finds it running. Platform, framework and board are stand-ins: a stub of the Arduino core, a program on a
pty."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.cli.main import main
from tinyserve.errors import ToolError
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio import environment, packages
from tinyserve.firmware.platformio.pio import PLATFORMIO_FILE, Pio
from tinyserve.firmware.platformio.project import render_project

HERE = Path(__file__).parent
FRAMEWORK = "framework-arduinoespressif32"


def mark_installed(directory: Path, kind: str) -> None:
    """As PlatformIO marks what it installed."""
    spec = {"owner": "test", "id": None, "name": directory.name, "requirements": None, "uri": None}
    mark = {"type": kind, "name": directory.name, "version": "1.0.0", "spec": spec}
    (directory / ".piopm").write_text(json.dumps(mark))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A core directory with the stand-ins installed, and a model in the current directory."""
    core = tmp_path / "core"
    cores.provision(core)
    platform = core / "platforms" / "espressif32"
    shutil.copytree(HERE / "stand_in", platform, ignore=shutil.ignore_patterns("__pycache__"))
    mark_installed(platform, "platform")
    framework = core / "packages" / FRAMEWORK
    shutil.copytree(HERE.parent / "arduino_stub", framework)
    (framework / "package.json").write_text(f'{{"name": "{FRAMEWORK}", "version": "1.0.0"}}')
    mark_installed(framework, "tool")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    monkeypatch.setenv("STAND_IN_BOARD", str(tmp_path / "board"))
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "shapes.tflite")
    return core


@contextmanager
def board_on_a_pty(program: Path) -> Iterator[str]:
    """A port behind which the program runs as soon as it has been uploaded."""
    master, slave = os.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def boot() -> None:
        while not program.exists():
            if over.wait(0.02):
                return
        with subprocess.Popen([program], stdin=master, stdout=master, stderr=subprocess.DEVNULL) as process:
            over.wait()
            process.kill()

    thread = threading.Thread(target=boot)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        over.set()
        thread.join(30)
        os.close(slave)
        os.close(master)
        assert not thread.is_alive()


def flash(port: str) -> int:
    return main(["flash", "shapes.tflite", "--board", "esp32dev", "--port", port])


@pytest.mark.usefixtures("installed")
def test_flash_builds_uploads_and_finds_the_firmware_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--board", "esp32dev"]) == 0
    assert "platform espressif32" in capsys.readouterr().out
    with board_on_a_pty(tmp_path / "board") as port:
        status = flash(port)
        shown = capsys.readouterr()
        assert status == 0, shown.err
        assert f"at {port}: m-ready" in shown.out
        assert f"tinyserve bench --board esp32dev --port {port}" in shown.out
        assert main(["bench", "shapes.tflite", "--board", "esp32dev", "--port", port]) == 0
        shown = capsys.readouterr()
        assert "equal byte for byte" in shown.out
        assert "flash and RAM are unknown" in shown.out


@pytest.mark.usefixtures("installed")
def test_an_upload_that_fails_ends_in_8_with_the_board_s_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAND_IN_UPLOAD", "echo Writing at 0x10000 12% && false")
    with board_on_a_pty(tmp_path / "board") as port:
        assert flash(port) == 8
    assert "broke off half-way" in capsys.readouterr().err


def test_a_library_that_is_missing_is_named_before_the_build(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "registry_is_reachable", lambda: False)
    project = render_project(tiny_model(), boards.load("esp32dev"), tmp_path / "project")
    ini = tmp_path / "project" / PLATFORMIO_FILE
    local = f"symlink://{tmp_path / 'library'}"
    ini.write_text(f"{ini.read_text()}lib_deps =\n    someone/Interpreter@^1.0.0\n    {local}\n")
    with pytest.raises(ToolError, match=r"not installed: library someone/Interpreter@\^1\.0\.0;"):
        environment.install_for(project, Pio(installed))


def test_a_framework_that_is_missing_is_named_before_the_build(
    installed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "registry_is_reachable", lambda: False)
    shutil.rmtree(installed / "packages" / FRAMEWORK)
    assert flash("none") == 6
    assert f"not installed: framework {FRAMEWORK};" in capsys.readouterr().err
