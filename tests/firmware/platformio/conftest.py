# SPDX-License-Identifier: Apache-2.0
"""A core directory for the tests alone, a stand-in for PlatformIO's command, and a board on a pty."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.firmware.tiny_model import tiny_model
from tests.support import cache
from tinyserve import boards
from tinyserve.devices import open_device, pty
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio.pio import Pio
from tinyserve.firmware.render import render


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        cache.use(patch, tmp_path_factory.mktemp("cache"))  # PlatformIO's core directory is one process's
        patch.delenv(cores.CORE_VARIABLE, raising=False)
        yield


@pytest.fixture(scope="session")
def core(session_cache: None) -> Path:
    """A provisioned core directory."""
    directory = cores.private_core()
    cores.provision(directory)
    return directory


@dataclass
class FakePort:
    """A port as pyserial lists it."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    description: str = ""


FakePio = Callable[..., Pio]


@pytest.fixture
def fake_pio(tmp_path: Path) -> FakePio:
    """``fake_pio(build=..., upload=[...])``: a PlatformIO whose builds and n-th uploads say what is given.

    Text that begins with "FAIL" also ends in status 1. Its command lines are kept in ``calls``.
    """

    def make(build: str = "built", upload: list[str] | None = None) -> Pio:
        script = tmp_path / "pio.py"
        uploads = upload or ["uploaded"]
        script.write_text(
            "import pathlib, sys\n"
            f"calls = pathlib.Path({str(tmp_path / 'calls')!r})\n"
            "said = calls.read_text().splitlines() if calls.exists() else []\n"
            "calls.write_text('\\n'.join([*said, ' '.join(sys.argv[1:])]))\n"
            "count = sum('upload ' in line + ' ' for line in said)\n"
            f"uploads = {uploads!r}\n"
            f"text = uploads[min(count, len(uploads) - 1)] if 'upload' in sys.argv else {build!r}\n"
            "print(text.removeprefix('FAIL'))\n"
            "sys.exit(text.startswith('FAIL'))\n"
        )
        return Pio(tmp_path / "core", (sys.executable, str(script)))

    return make


@pytest.fixture(scope="session")
def nano33_twin(session_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """The tiny model's firmware for nano33's twin."""
    return build(render(tiny_model(), boards.load("nano33"), tmp_path_factory.mktemp("twin"), emulate=True))


@contextmanager
def standing(firmware: Firmware) -> Iterator[str]:
    """The path of a pty with the firmware's twin behind it."""
    paths: queue.Queue[str] = queue.Queue()
    over = threading.Event()

    def serve() -> None:
        with open_device(firmware, firmware.project.board) as device:
            pty.serve(device, paths.put, over.is_set)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield paths.get(timeout=30)
    finally:
        over.set()
        thread.join(30)
        assert not thread.is_alive()
