# SPDX-License-Identifier: Apache-2.0
"""Firmware with slots on its twin: what it answers, what it takes, and what it refuses and why."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.slots.conftest import CORES, KEY, OTHER_KEY, Workshop, smp
from tests.slots.models import bundle_of, classifier
from tinyserve import workflow
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.tflite.attach import decided
from tinyserve.devices.client.answers import parse_events
from tinyserve.devices.emulators.updatable import UpdatableDevice
from tinyserve.devices.smp.client import SmpError
from tinyserve.devices.smp.commands import Phase
from tinyserve.errors import DeviceError, FitError, RefusedError, UsageError
from tinyserve.features.spec import Decision
from tinyserve.slots import body
from tinyserve.slots.image import Facts, Golden, Version, core_id, sign
from tinyserve.slots.read import ImageFile
from tinyserve.slots.reasons import Reason
from tinyserve.slots.signing import Signing, sign_bundle
from tinyserve.slots.update import NO_SLOT, images, update


def say(device: UpdatableDevice, command: str) -> list[str]:
    """A text command's answer."""
    device.link.write(command.encode() + b"%")
    lines = []
    while not lines or lines[-1] != "m-ready":
        lines.append(device.link.read_line(10))
    return lines[:-1]


def test_it_starts_and_answers_without_any_model(workshop: Workshop) -> None:
    device = workshop.device()
    assert smp(device).echo("here") == "here"
    state = smp(device).slots()
    assert (state.active, [slot.phase for slot in state.slots]) == (NO_SLOT, [Phase.EMPTY, Phase.EMPTY])
    assert smp(device).model().sha256 == ""
    assert say(device, "name") == ["m-name-dut-[tinyserve, emulated: times are estimates]"]
    assert say(device, "infer 1 0")[-1] == "e-[the model's invoke failed]"
    with pytest.raises(SmpError):
        smp(device).infer()


def test_an_update_is_served_byte_for_byte_by_both_protocols(workshop: Workshop) -> None:
    device = workshop.device()
    board = smp(device)
    done = update(board, workshop.images(1))
    assert (done.slot, done.confirmed) == (0, True)
    update(board, workshop.images(2, counter=2))
    state = board.slots()
    assert (state.active, state.counter) == (1, 2)
    samples = workshop.bundles(2).samples()
    for given, wanted in zip(samples.inputs[0], samples.expected[0], strict=True):
        board.load(given.tobytes())
        board.infer()
        assert board.output() == wanted.tobytes()
        say(device, "db load 16")
        say(device, f"db {given.tobytes().hex()}")
        say(device, "infer 1 0")
        assert say(device, "ts-output 0")[0] == f"ts-output-[{wanted.tobytes().hex()}]"
    assert [layer.name for layer in board.profile()] == ["h", "y", "p"]
    assert device.machine.controller.violations == 0


def test_what_happens_in_an_inference_is_said_by_both_protocols(m0: Workshop, tmp_path: Path) -> None:
    decision = Decision(enter=0.6, hold=2, ignore=[0])
    made = bundle_of(decided(decision, classifier(), samples=16), tmp_path, "stream")
    samples = np.repeat(np.random.default_rng(5).integers(-128, 128, (20, 1, 16)), 3, axis=0).astype(np.int8)
    signing = Signing(KEY, 1, Version(1, 0, 0))
    sign_bundle(made, m0.board, signing, tmp_path / "signed", target=workflow.target(m0.board, "balanced"))
    device = m0.device()
    board = smp(device)
    update(board, images(tmp_path / "signed"))
    _, wanted = HostModel(compile_model(made.model_bytes())).events([samples])
    board_says, text_says = [], []
    for sample in samples:
        board.load(sample.tobytes())
        board.infer()
        board_says += board.events
    assert board.lost_events == 0
    say(device, "ts-reset")
    for sample in samples:
        say(device, "db load 16")
        say(device, f"db {sample.tobytes().hex()}")
        text_says += parse_events(say(device, "ts-infer 1 0"), (4, 8))
    assert board_says == text_says == wanted
    assert len(wanted) >= 3


def refused(workshop: Workshop, image: ImageFile) -> tuple[Reason, int]:
    """What a device that serves model 1 says of an image, which must leave model 1 serving."""
    device = workshop.device()
    board = smp(device)
    update(board, workshop.images(1, counter=3))
    with pytest.raises(RefusedError):
        update(board, [image])
    state = board.slots()
    assert (state.active, state.slots[1].phase) == (0, Phase.REFUSED)
    assert board.model().sha256 == workshop.bundles(1).manifest.model_sha256
    board.reset()
    assert board.slots().active == 0
    return Reason(board.slots().slots[1].reason), board.slots().slots[1].detail


def test_a_tampered_image_is_refused(workshop: Workshop) -> None:
    image = workshop.images(2, counter=4)[1]
    data = bytearray(image.data)
    data[200] ^= 1
    assert refused(workshop, replace(image, data=bytes(data)))[0] is Reason.WRONG_HASH


def test_a_foreign_key_is_refused(m0: Workshop) -> None:
    assert refused(m0, m0.images(2, counter=4, key=OTHER_KEY)[1])[0] is Reason.UNKNOWN_KEY


def test_an_older_image_is_refused(m0: Workshop) -> None:
    assert refused(m0, m0.images(2, counter=2)[1])[0] is Reason.DOWNGRADE


def test_wrong_bytes_are_refused_with_their_offset(workshop: Workshop) -> None:
    good = workshop.images(2, counter=4)[1]
    image = resigned(good, change_golden=2)
    assert refused(workshop, image) == (Reason.WRONG_BYTES, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"abi": 9}, Reason.WRONG_ABI),
        ({"core": "cortex-m55"}, Reason.WRONG_CORE),
        ({"arena_bytes": 1 << 20}, Reason.ARENA),
    ],
)
def test_what_does_not_fit_is_refused(m0: Workshop, change: dict[str, object], reason: Reason) -> None:
    assert refused(m0, resigned(m0.images(2, counter=4)[1], **change))[0] is reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [("crash", Reason.FAULT), ("hang", Reason.TIME_OUT)],
)
def test_a_model_that_crashes_or_hangs_is_refused_after_the_reset(
    workshop: Workshop, code: str, reason: Reason
) -> None:
    """The body's invoke is written over, and signed again."""
    image = workshop.images(2, counter=4)[1]
    riscv = workshop.board.core.port == "riscv"
    if code == "crash":
        instruction = b"\x00\x00\x00\x00" if riscv else b"\x00\xde\x00\xde"
    else:
        instruction = b"\x6f\x00\x00\x00" if riscv else b"\xfe\xe7\xfe\xe7"
    invoke = struct.unpack_from("<I", image.data, 32 + 4 * 13)[0] & ~1
    at = invoke - image.slot_address
    data = image.data[:at] + instruction + image.data[at + 4 :]
    found, detail = refused_over_a_reset(workshop, resigned(replace(image, data=data)))
    assert found is reason
    if reason is Reason.FAULT:
        assert detail == invoke


def refused_over_a_reset(workshop: Workshop, image: ImageFile) -> tuple[Reason, int]:
    device = workshop.device()
    board = smp(device)
    update(board, workshop.images(1, counter=3))
    board.upload(image.data)
    with pytest.raises((RefusedError, SmpError)):
        board.test(image.hash)
    state = board.slots()
    assert (state.active, state.slots[1].phase) == (0, Phase.REFUSED)
    board.load(bytes(16))
    board.infer()
    return Reason(state.slots[1].reason), state.slots[1].detail


def resigned(image: ImageFile, change_golden: int | None = None, **changes: object) -> ImageFile:
    """The same body with other facts, signed by the same key."""
    head, protected, size = struct.unpack_from("<HHI", image.data, 8)
    body = bytearray(image.data[head : head + size])
    tlvs = image.data[head + size : head + size + protected]
    at = tlvs.index(struct.pack("<HH", 0x54A5, 12)) + 4
    golden = Golden(*struct.unpack_from("<III", tlvs, at))
    if change_golden is not None:
        body[golden.offset + golden.input_bytes + change_golden] ^= 1
    facts = {
        "model_sha256": image.model_sha256,
        "abi": image.abi,
        "core": _core_of(image),
        "slot_address": image.slot_address,
        "arena_bytes": image.arena_bytes,
        "counter": image.counter,
        "golden": golden,
    }
    data = sign(bytes(body), Facts(**(facts | changes)), KEY)  # type: ignore[arg-type]
    end = head + size + struct.unpack_from("<H", data, 10)[0]
    return replace(image, data=data, hash=hashlib.sha256(data[:end]).digest())


def _core_of(image: ImageFile) -> str:
    return next(core for core in CORES if core_id(core) == image.core)


def test_a_trial_ends_after_three_boots_that_nobody_confirms(m0: Workshop) -> None:
    device = m0.device()
    board = smp(device)
    update(board, m0.images(1))
    update(board, m0.images(2, counter=2), confirm=False)
    for _ in range(3):
        board.reset()
        assert board.slots().active == 1
    board.reset()
    state = board.slots()
    assert (state.active, state.slots[1].reason) == (0, Reason.NOT_CONFIRMED)
    assert board.model().sha256 == m0.bundles(1).manifest.model_sha256


def test_a_host_can_go_back_from_a_trial(m0: Workshop) -> None:
    board = smp(m0.device())
    with pytest.raises(DeviceError, match="no model is in use"):
        board.confirm()
    update(board, m0.images(1))
    update(board, m0.images(2, counter=2), confirm=False)
    with pytest.raises(UsageError, match="on trial"):
        update(board, m0.images(3, counter=3))
    board.revert()
    state = board.slots()
    assert (state.active, state.slots[1].reason) == (0, Reason.BY_HOST)
    with pytest.raises(DeviceError, match="no model is on trial"):
        board.revert()
    with pytest.raises(SmpError, match="answers load with a number out of range"):
        board.load(bytes(16), index=9)


def test_a_key_is_changed_by_a_signed_image(m0: Workshop) -> None:
    board = smp(m0.device())
    update(board, m0.images(1, next_key=OTHER_KEY.public_key()))
    with pytest.raises(RefusedError, match="key that the device does not hold"):
        update(board, m0.images(2, counter=2))
    done = update(board, m0.images(3, counter=2, key=OTHER_KEY))
    assert done.confirmed


def test_a_device_keeps_its_flash_while_it_is_off(m0: Workshop, tmp_path: Path) -> None:
    kept = tmp_path / "flash.bin"
    device = m0.device(kept)
    update(smp(device), m0.images(1))
    device.close()
    again = m0.device(kept)
    assert smp(again).model().sha256 == m0.bundles(1).manifest.model_sha256


def test_an_update_that_is_there_already_is_no_update(m0: Workshop) -> None:
    board = smp(m0.device())
    update(board, m0.images(1))
    assert update(board, m0.images(1)).was_there


def test_a_model_that_takes_too_much_stack_is_not_signed(
    m0: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "MODEL_STACK_BYTES", 16)
    with pytest.raises(FitError, match="bytes of stack"):
        m0.images(3, counter=99)


def test_a_model_that_takes_more_than_its_slot_is_not_signed(m0: Workshop) -> None:
    flash = m0.board.flash
    assert flash is not None
    small = msgspec.structs.replace(m0.board, flash=msgspec.structs.replace(flash, bytes=81920 + 2 * 16384))
    large = bundle_of(classifier(1, hidden=1000), m0.directory / "large")
    signing = Signing(KEY, 1, Version())
    with pytest.raises(FitError, match=r"does not fit|of its slot"):
        sign_bundle(
            large, small, signing, m0.directory / "too-large", target=workflow.target(small, "balanced")
        )
