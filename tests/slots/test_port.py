# SPDX-License-Identifier: Apache-2.0
"""Commands with --port on a pseudo-terminal that leads to a twin, and how fast the line is."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from tests.slots.conftest import KEY, Workshop
from tests.slots.uart import Uart, joined
from tinyserve import boards
from tinyserve.cli.main import main
from tinyserve.devices.serial import SerialLink
from tinyserve.devices.smp import commands
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.errors import DeviceError
from tinyserve.health.profile import PROFILE_FILE, profile_of
from tinyserve.slots.connection import Target, connect

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs ptys")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts wait for as long as a busy machine's twin needs; a board answers at once."""
    monkeypatch.setattr(commands, "_NEW_RATE_TIMEOUT_S", 60.0)
    monkeypatch.setattr(commands, "_NEW_RATE_TRIES", 240)


def on(uart: Uart, *more: str) -> list[str]:
    return ["--port", uart.terminal.name, "--board", "cortex-m0", *more]


def directory_of(shop: Workshop, seed: int) -> Path:
    return shop.images(seed)[0].path.parent


def test_a_model_is_updated_and_watched_over_a_port(m0: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = m0.bundles(1)
    known = bundle.samples()
    profile = profile_of(known.inputs[0], known.expected[0])
    (bundle.path / PROFILE_FILE).write_bytes(msgspec.json.encode(profile))
    with joined(m0.device()) as uart:
        assert main(["slots", *on(uart)]) == 0
        assert "empty" in capsys.readouterr().out
        assert main(["update", str(directory_of(m0, 1)), *on(uart)]) == 0
        assert "slot 0" in capsys.readouterr().out
        with connect(Target(uart.terminal.name, board="cortex-m0")) as device:
            device.load(known.inputs[0][0].tobytes())
            device.infer(3)
            assert device.output() == known.expected[0][0].tobytes()
        assert main(["health", str(bundle.path), *on(uart, "--clear")]) == 0
        assert "3 inferences" in capsys.readouterr().out
        assert main(["update", str(m0.images(2, key=KEY)[0].path), *on(uart)]) == 2
        assert "slot 1" in capsys.readouterr().err, "the image of the other slot is wanted"
        assert main(["slots", *on(uart)]) == 0
        assert "confirmed" in capsys.readouterr().out


@pytest.mark.usefixtures("patient")
def test_the_line_is_moved_to_what_is_asked_for_and_back(m0: Workshop) -> None:
    device = m0.device()
    with joined(device) as uart:
        with connect(Target(uart.terminal.name, board="cortex-m0", baud=921_600)) as board:
            assert device.machine.controller.baud == 921_600
            board.upload(m0.images(1)[0].data[:5000])
        assert device.machine.controller.baud == 115_200
        assert uart.rates == {115_200, 921_600}
        assert main(["slots", *on(uart)]) == 0


@pytest.mark.usefixtures("patient")
def test_a_board_takes_its_most_where_more_is_asked_for(m0: Workshop) -> None:
    device = m0.device()
    said: list[str] = []

    def progress(stage: str, *_: object) -> None:
        said.append(stage)

    target = Target("", board="cortex-m0", baud=4_000_000)
    with joined(device) as uart, connect(replaced(target, uart), progress) as board:
        assert device.machine.controller.baud == 1_000_000
        board.echo("here")
    assert said == ["the line is at 1,000,000 bit/s"]


def replaced(target: Target, uart: Uart) -> Target:
    return Target(uart.terminal.name, board=target.board, baud=target.baud)


def test_both_sides_go_back_where_the_cable_is_too_slow(
    m0: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_FALL_BACK_TRIES", 240)
    device = m0.device()
    with joined(device, most=500_000) as uart:
        with connect(Target(uart.terminal.name, board="cortex-m0", baud=921_600)) as board:
            assert device.machine.controller.baud == 115_200
            assert board.echo("here") == "here"
        assert uart.rates == {115_200, 921_600}


@pytest.mark.usefixtures("patient")
def test_a_host_that_left_a_fast_line_keeps_nobody_out(m0: Workshop) -> None:
    """Killed in the middle: the next one begins at the rate that devices start with."""
    device = m0.device()
    with joined(device) as uart:
        link = SerialLink(uart.terminal.name, boards.load("cortex-m0"))
        SmpDevice(SmpClient(link)).set_baud(460_800)
        link.close()
        assert device.machine.controller.baud == 460_800
        again = SerialLink(uart.terminal.name, boards.load("cortex-m0"))
        assert SmpDevice(SmpClient(again, timeout_s=1.0)).echo("here") == "here"
        assert device.machine.controller.baud == 115_200
        again.close()


def test_firmware_of_one_rate_says_so(m0: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyserve.devices.smp import commands

    device = m0.device()
    monkeypatch.setattr(commands, "_BAUD", commands.Command(64, 99, "baud"))
    with pytest.raises(DeviceError, match="one rate alone") as caught:
        SmpDevice(SmpClient(device.link)).set_baud(230_400)
    assert "--baud" in caught.value.hint
