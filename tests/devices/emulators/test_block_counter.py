# SPDX-License-Identifier: Apache-2.0
"""QEMU counts the blocks of one function exactly, and says why where it can't."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.devices.conftest import BuildProbe
from tests.devices.emulators.test_qemu import BOARDS, needs_arm
from tinyserve.devices import open_device
from tinyserve.devices.emulators import block_counter
from tinyserve.devices.emulators.block_counter import BlockCounter
from tinyserve.errors import ToolError


@pytest.mark.parametrize("name", BOARDS)
def test_the_last_run_of_the_function_is_counted_exactly(build_probe: BuildProbe, name: str) -> None:
    firmware, board = build_probe(name)
    with open_device(firmware, board, "qemu", counted="counted_loop") as device:
        device.link.read_line(20)
        for turns in (70, 54_321):
            device.link.write(f"c{turns}%".encode())
            device.link.read_line(20)
            assert device.function_counts() == {"counted_loop": 2 * turns + 1}


@needs_arm
def test_before_the_first_run_there_is_nothing_to_tell(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu", counted="counted_loop") as device:
        device.link.read_line(20)
        with pytest.raises(ToolError, match="counted no run"):
            device.function_counts()


@needs_arm
@pytest.mark.parametrize(
    ("counted", "reason"), [(None, "started without a function to count"), ("nothing", "no function nothing")]
)
def test_what_was_not_counted_is_said_when_it_is_asked_for(
    build_probe: BuildProbe, counted: str | None, reason: str
) -> None:
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu", counted=counted) as device:
        assert device.link.read_line(20) == "ready"
        with pytest.raises(ToolError, match=reason):
            device.function_counts()


@needs_arm
def test_a_qemu_that_refuses_the_plugin_runs_without(
    build_probe: BuildProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_counter, "_plugin_api", lambda program: 99)
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu", counted="counted_loop") as device:
        assert device.link.read_line(20) == "ready"
        with pytest.raises(ToolError, match=r"QEMU did not start: .*plugin"):
            device.function_counts()


def fake_qemu(directory: Path, help_text: str, version: str) -> str:
    path = directory / "qemu-system-arm"
    path.write_text(f'#!/bin/sh\ncase "$1" in -help) echo "{help_text}";; *) echo "{version}";; esac\n')
    path.chmod(0o755)
    return str(path)


def test_a_qemu_without_plugins_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="built without plugins") as caught:
        BlockCounter(fake_qemu(tmp_path, "-machine", "QEMU emulator version 7.2.0"), 0x100)
    assert "unicorn" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "api"), [("7.2.22 (Debian)", 1), ("8.2.2", 1), ("9.0.0", 2), ("10.1.0", 2)]
)
def test_the_plugin_announces_the_interface_that_this_qemu_takes(
    tmp_path: Path, version: str, api: int
) -> None:
    program = fake_qemu(tmp_path, "-plugin [file=]<file>", f"QEMU emulator version {version}")
    assert block_counter._plugin_api(program) == api


def test_a_program_that_has_too_many_blocks_is_not_counted_wrongly(tmp_path: Path) -> None:
    program = fake_qemu(tmp_path, "-plugin file", "QEMU emulator version 7.2.0")
    counter = BlockCounter(program, 0x100)
    log = Path(counter.options[-1])
    log.write_text("begin\n100 2 5\nend\nbegin\n100 2 3\n10a 10 1\nend\n")
    assert counter.executed() == [(0x100, 6), (0x10A, 16)]
    log.write_text("begin\n100 2 5\nend\nbegin\n100 2 3\nfull\n")
    with pytest.raises(ToolError, match="more basic blocks"):
        counter.executed()
    counter.close()
    assert not log.parent.exists()
