# SPDX-License-Identifier: Apache-2.0
"""An audit tells hardware that computes wrong from a world that has changed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.slots.conftest import Workshop, smp
from tests.slots.test_health import counters
from tests.slots.uart import joined
from tinyserve import workflow
from tinyserve.bundle import Bundle
from tinyserve.cli.main import main
from tinyserve.devices.emulators.updatable import UpdatableDevice
from tinyserve.errors import DeviceError, ModelError
from tinyserve.health.profile import PROFILE_FILE, profile_of
from tinyserve.slots.audit import audit
from tinyserve.slots.body import compile_for_slots
from tinyserve.slots.update import update


def served(shop: Workshop) -> UpdatableDevice:
    device = shop.device()
    update(smp(device), shop.images(1))
    return device


def broken(device: UpdatableDevice, shop: Workshop) -> None:
    """Bits of weights in flash have turned since the start."""
    machine = device.machine
    flash = machine.read_flash()
    weights = max(weights_of(shop), key=len)
    at = flash.find(weights)
    assert at >= 0
    turned = bytes(byte ^ 0x40 for byte in weights)
    machine.write_flash(flash[:at] + turned + flash[at + len(weights) :])


def weights_of(shop: Workshop) -> list[bytes]:
    """As they lie in the image."""
    target = workflow.target(shop.board, "balanced")
    program = compile_for_slots(shop.bundles(1).model_bytes(), target).program
    return [constant.values.tobytes() for constant in program.constants]


def test_right_answers_are_those_of_this_computer_and_are_not_counted(workshop: Workshop) -> None:
    device = served(workshop)
    found = audit(smp(device), workshop.bundles(1), 12)
    assert (found.tried, found.wrong) == (12, ())
    found.check()
    assert counters(smp(device)).inferences == 0
    smp(device).load(bytes(16))
    smp(device).infer()
    assert counters(smp(device)).inferences == 1


def test_flash_that_has_changed_is_found_and_stays(m0: Workshop) -> None:
    device = served(m0)
    broken(device, m0)
    found = audit(smp(device), m0.bundles(1), 12)
    assert found.wrong
    assert all(one.repeats and one.expected != one.found for one in found.wrong)
    with pytest.raises(DeviceError, match="the hardware is at fault, whatever the data are") as caught:
        found.check()
    assert "upload the image again" in caught.value.hint


def test_a_fault_that_does_not_stay_is_told_from_one_that_does(
    m0: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = smp(served(m0))
    whole = board.output
    asked = []

    def output(index: int = 0) -> bytes:
        asked.append(index)
        data = whole(index)
        return bytes([data[0] ^ 1]) + data[1:] if len(asked) == 3 else data

    monkeypatch.setattr(board, "output", output)
    found = audit(board, m0.bundles(1), 6)
    assert [(one.sample, one.output, one.offset, one.repeats) for one in found.wrong] == [(2, 0, 0, False)]
    with pytest.raises(DeviceError, match="RAM, supply or clock"):
        found.check()


def test_another_model_is_no_fault(m0: Workshop) -> None:
    with pytest.raises(ModelError, match="the device serves"):
        audit(smp(served(m0)), m0.bundles(2), 3)


def with_profile(bundle: Bundle) -> Bundle:
    known = bundle.samples()
    profile = profile_of(known.inputs[0], known.expected[0])
    (bundle.path / PROFILE_FILE).write_bytes(msgspec.json.encode(profile))
    return bundle


def test_the_command_says_which_it_is(
    m0: Workshop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = with_profile(m0.bundles(1))
    device = served(m0)
    board = smp(device)
    board.load(np.full(16, 127, np.int8).tobytes())
    for _ in range(40):
        board.infer(32)
    with joined(device) as uart:
        on = ["--port", uart.terminal.name, "--board", "cortex-m0"]
        status = main(["health", str(bundle.path), *on, "--audit", "5", "--html", str(tmp_path / "h.html")])
        shown = capsys.readouterr()
        assert "audit: 5 of 5 answers are the bytes that this computer gets" in shown.out
        assert status in (0, 3), "drift or too few to tell, and no fault"
        assert (tmp_path / "h.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    broken(device, m0)  # while nobody runs it
    with joined(device) as uart:
        on = ["--port", uart.terminal.name, "--board", "cortex-m0"]
        assert main(["health", str(bundle.path), *on, "--audit", "5"]) == 8
        shown = capsys.readouterr()
        assert "instead of" in shown.out
        assert "the hardware is at fault" in shown.err
    assert main(["health", str(bundle.path), "--merge", "x.json", "--audit", "5"]) in (2, 9)
