# SPDX-License-Identifier: Apache-2.0
"""The firmware as a program of this computer: a link over pipes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.devices.conftest import Probe
from tinyserve import boards
from tinyserve.devices import open_device
from tinyserve.devices.device import Device
from tinyserve.devices.link import LinkClosed, NoAnswer
from tinyserve.errors import ToolError


@contextmanager
def program(directory: Path, body: str) -> Iterator[Device]:
    path = directory / "firmware"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}\n")
    path.chmod(0o755)
    with open_device(Probe(path), boards.load("host")) as device:
        yield device


ECHO = "while data := os.read(0, 4096): os.write(1, data.replace(b'%', b'\\r\\n'))"


def test_bytes_go_both_ways(tmp_path: Path) -> None:
    with program(tmp_path, ECHO) as device:
        device.link.write(b"name%")
        assert device.link.read_line(20) == "name"
        assert device.tick_unit == "ns"


def test_a_program_that_ends_is_told_from_one_that_is_silent(tmp_path: Path) -> None:
    with program(tmp_path, "print('m-ready', flush=True); sys.exit('out of luck')") as device:
        assert device.link.read_line(20) == "m-ready"
        with pytest.raises(
            LinkClosed, match=r"exit status 1; received last: 'm-ready'; it said: out of luck"
        ):
            device.link.read_line(20)
    with (
        program(tmp_path, "time.sleep(600)") as device,
        pytest.raises(NoAnswer, match="nothing was ever received"),
    ):
        device.link.read_line(0.1)


def test_a_crash_names_the_signal(tmp_path: Path) -> None:
    with (
        program(tmp_path, "os.kill(os.getpid(), 11)") as device,
        pytest.raises(LinkClosed, match="signal 11"),
    ):
        device.link.read_line(20)


def test_writing_to_a_program_that_is_gone(tmp_path: Path) -> None:
    with program(tmp_path, "pass") as device:
        with pytest.raises(LinkClosed):
            device.link.read_line(20)
        with pytest.raises(LinkClosed, match="exit status 0"):
            for _ in range(3):
                device.link.write(b"name%" * 20_000)


def test_a_program_that_reads_nothing_does_not_block_us_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyserve.devices.emulators.host.WRITE_TIMEOUT_S", 0.2)
    with program(tmp_path, "time.sleep(600)") as device, pytest.raises(LinkClosed):
        device.link.write(b"x" * 1_000_000)


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    with (
        pytest.raises(ToolError, match="cannot start"),
        open_device(Probe(tmp_path / "none"), boards.load("host")),
    ):
        pass
