# SPDX-License-Identifier: Apache-2.0
"""What is found before any work is done, and what follows when all is there."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.boards.types import Board
from tinyserve.devices.serial import SerialLink
from tinyserve.errors import DeviceError
from tinyserve.firmware.platformio import deploy, environment, flash

NANO33 = boards.load("nano33")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A pty's path, with all packages installed."""

    def nothing(board: Board, progress: object) -> list[str]:
        return []

    monkeypatch.setattr(environment, "install", nothing)
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_a_port_that_another_program_has_open_is_found_before_the_build(terminal: str) -> None:
    deploy.require(NANO33, terminal)
    other = SerialLink(terminal, NANO33)
    try:
        with pytest.raises(DeviceError, match="another program has it open"):
            deploy.require(NANO33, terminal)
    finally:
        other.close()


@pytest.mark.usefixtures("terminal")
def test_no_port_is_looked_at_for_a_board_that_has_none_yet() -> None:
    deploy.require(NANO33, flash.NO_PORT)
    with pytest.raises(DeviceError, match="no such port"):
        deploy.require(NANO33, "/dev/no-such-port")


def test_a_twin_is_provisioned_built_and_started(core: Path, tmp_path: Path) -> None:
    lines = deploy.deploy(tiny_model(), boards.load("cortex-m3"), tmp_path, core, emulate=True)
    assert "board cortex-m3" in lines[1]
    assert lines[-1] == f"project: {tmp_path}"
