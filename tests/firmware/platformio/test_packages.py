# SPDX-License-Identifier: Apache-2.0
"""What a real board lacks is found and said before PlatformIO would look for it."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
import threading
import time
import urllib.error
from pathlib import Path

import pytest

from tests.firmware.platformio.conftest import FakePio
from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.errors import FileSystemError, ToolError
from tinyserve.firmware.platformio import environment, packages
from tinyserve.firmware.platformio.pio import Pio
from tinyserve.firmware.platformio.project import render_project

REAL = [board for board in boards.all_boards() if board.platformio]


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.id)
def test_every_real_board_s_project_is_a_platformio_project(board: boards.Board, tmp_path: Path) -> None:
    render_project(tiny_model(), board, tmp_path)
    ini = configparser.ConfigParser()
    ini.read(tmp_path / "platformio.ini")
    section = ini[f"env:{board.id}"]
    assert board.platformio
    assert section["board"] == board.platformio.board
    assert section["framework"] == "arduino"


def test_a_platform_that_is_not_installed_is_named_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "registry_is_reachable", lambda: False)
    with pytest.raises(ToolError, match=r"not installed: platform nordicnrf52.*can't be reached") as caught:
        environment.install(boards.load("nano33"))
    assert "tinyserve setup --board nano33" in caught.value.hint


@pytest.mark.parametrize("board", ["nano33", "cortex-m4"])
def test_a_project_of_the_user_s_is_left_alone(board: str, tmp_path: Path) -> None:
    ini = tmp_path / "platformio.ini"
    ini.write_text("mine")
    with pytest.raises(FileSystemError, match="in the way"):
        render_project(tiny_model(), boards.load(board), tmp_path)
    assert ini.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [ini]


def test_of_an_installed_platform_its_packages_are_named(core: Path, tmp_path: Path) -> None:
    """A platform like the registry's, which wants a toolchain and the framework that the board asks for."""
    project = tmp_path / "project"
    render_project(tiny_model(), boards.load("nano33"), project)
    platform = tmp_path / "platforms" / "nordicnrf52"
    (platform / "boards").mkdir(parents=True)
    manifest = {
        "name": "nordicnrf52", "title": "nRF52", "version": "1.0.0", "engines": {"platformio": ">=6"},
        "frameworks": {"arduino": {"package": "framework-arduino-mbed"}},
        "packages": {
            "toolchain-gccarmnoneeabi": {"type": "toolchain", "version": "*"},
            "framework-arduino-mbed": {"type": "framework", "optional": True, "version": "*"},
            "framework-zephyr": {"type": "framework", "optional": True, "version": "*"},
        },
    }  # fmt: skip
    (platform / "platform.json").write_text(json.dumps(manifest))
    ini = project / "platformio.ini"
    ini.write_text(f"[platformio]\nplatforms_dir = {tmp_path / 'platforms'}\n" + ini.read_text().replace(
        "[platformio]\n", "", 1
    ))  # fmt: skip
    lacking = packages.missing_packages(project, "nano33", Pio(core))
    assert sorted(lacking) == ["framework framework-arduino-mbed", "toolchain toolchain-gccarmnoneeabi"]


def test_a_failed_installation_shows_what_was_said(
    fake_pio: FakePio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "registry_is_reachable", lambda: True)
    pio = fake_pio(build="FAILno space left")
    with pytest.raises(ToolError, match=r"could not install platform x:\n  no space left") as caught:
        packages.install(tmp_path, "nano33", ["platform x"], boards.load("nano33"), pio)
    assert str(pio.core) in caught.value.hint


def test_a_core_directory_that_confuses_platformio_is_said(tmp_path: Path) -> None:
    (tmp_path / "platformio.ini").write_text("[env:other]\n")
    with pytest.raises(ToolError, match="can't tell what is installed"):
        packages.missing_packages(tmp_path, "nano33", Pio(tmp_path / "core"))


STUCK_RESOLVER = """
import ctypes, socket
socket.getaddrinfo = lambda *where, **how: ctypes.CDLL(None).sleep(600)  # in C, as a resolver waits
from tinyserve.firmware.platformio import packages
print(packages.registry_is_reachable())
"""


def test_a_resolver_that_hangs_holds_up_neither_the_check_nor_the_end_of_the_program() -> None:
    program = [sys.executable, "-c", STUCK_RESOLVER]
    done = subprocess.run(program, capture_output=True, timeout=120, check=True)
    assert done.stdout == b"False\n"


def test_a_registry_of_which_all_hosts_refuse_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(packages.urllib.request, "urlopen", refuse)
    begin = time.monotonic()
    assert not packages.registry_is_reachable(3600)
    assert time.monotonic() - begin < 120


def test_platformio_is_not_asked_for_a_platform_that_is_certainly_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Starting it takes longer than the registry, whose second of patience is all that one waits offline."""

    def missing(*args: object) -> list[str]:
        raise AssertionError("PlatformIO was started")

    monkeypatch.setattr(packages, "registry_is_reachable", lambda: False)
    monkeypatch.setattr(packages, "missing_packages", missing)
    with pytest.raises(ToolError, match=r"not installed: platform atmelsam.*can't be reached"):
        environment.install(boards.load("feather-m4"))


def test_a_stuck_registry_is_given_up_within_a_second() -> None:
    assert packages.REGISTRY_TIMEOUT_S < 1


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.id)
def test_an_installed_platform_is_recognised_however_it_was_installed(
    board: boards.Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PlatformIO leaves them: by name and version, a clone under its manifest's name, a link."""
    assert board.platformio
    spec, platforms = board.platformio.platform, tmp_path / "platforms"
    platforms.mkdir()
    (platforms / "tinyserve.pio-link").write_text('{"cwd": "/", "spec": {"uri": "symlink:///x"}}')
    (platforms / "another").mkdir()
    assert not packages.may_have_platform(board, tmp_path)
    if "://" in spec:
        cloned = platforms / "Its Own Name"
        cloned.mkdir()
        metadata = {"type": "platform", "name": cloned.name, "spec": {"name": "x", "uri": f"git+{spec}"}}
        (cloned / ".piopm").write_text(json.dumps(metadata))
    else:
        (platforms / f"{spec.partition('@')[0].strip()}@1.2.3").mkdir()
    assert packages.may_have_platform(board, tmp_path)
    monkeypatch.setenv("PLATFORMIO_PLATFORMS_DIR", "/elsewhere")
    assert packages.may_have_platform(board, tmp_path / "empty")


def test_a_linked_platform_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "platforms").mkdir()
    link = {"cwd": "/", "spec": {"name": "nordicnrf52", "uri": "symlink:///home/me/nordicnrf52"}}
    (tmp_path / "platforms" / "x.pio-link").write_text(json.dumps(link))
    assert packages.may_have_platform(boards.load("nano33"), tmp_path)


def test_a_registry_that_does_not_answer_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def hang(*args: object, **options: object) -> None:
        never.wait(30)
        raise OSError

    monkeypatch.setattr(packages.urllib.request, "urlopen", hang)
    try:
        assert not packages.registry_is_reachable(0.05)
    finally:
        never.set()


def test_looking_for_packages_loads_no_compiler() -> None:
    """Half a second of imports is half of what one waits for a registry that is stuck."""
    program = (
        "import sys, tinyserve.cli.board.setup, tinyserve.firmware.platformio.environment as _\n"
        "print(sorted(name for name in sys.modules if name.startswith(('tinyserve.compiler.', 'numpy'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert done.stdout == b"[]\n"
