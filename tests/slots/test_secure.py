# SPDX-License-Identifier: Apache-2.0
"""Firmware that is built with --secure, on its twin: what it does for strangers, and for its owner."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.slots.conftest import KEY, OTHER_KEY, Workshop, make_workshop
from tests.slots.test_device import say
from tinyserve.bundle import Bundle
from tinyserve.devices.emulators.updatable import UpdatableDevice
from tinyserve.devices.smp.client import ACCESS_DENIED, SmpClient, SmpError
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.errors import DeviceError
from tinyserve.serve.config import MemberSpec
from tinyserve.serve.engines.slots import Slots
from tinyserve.slots.update import update

LINE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
CORES = ("cortex-m0", "cortex-m4", "rv32imc")


@pytest.fixture(scope="module")
def shops(
    session_cache: None, tmp_path_factory: pytest.TempPathFactory, bundles: Callable[[int], Bundle]
) -> Callable[[str], Workshop]:
    made: dict[str, Workshop] = {}

    def shop(core: str) -> Workshop:
        if core not in made:
            directory = tmp_path_factory.mktemp(f"secure-{core}")
            made[core] = make_workshop(core, directory, bundles, line_key=LINE_KEY.public_key())
        return made[core]

    return shop


@dataclass
class Seen:
    """A device, a stranger on its line, and its owner."""

    device: UpdatableDevice
    stranger: SmpDevice
    owner: SmpDevice


def seen(shop: Workshop, kept: Path | None = None) -> Seen:
    device = shop.device(kept)
    return Seen(device, SmpDevice(SmpClient(device.link)), SmpDevice(SmpClient(device.link), LINE_KEY.sign))


def denied(act: Callable[[], object]) -> bool:
    try:
        act()
    except SmpError as error:
        return (error.group, error.code) == (None, ACCESS_DENIED)
    return False


@pytest.mark.parametrize("core", CORES)
def test_an_owner_updates_and_infers_and_a_stranger_does_not(
    core: str, shops: Callable[[str], Workshop]
) -> None:
    shop = shops(core)
    one = seen(shop)
    assert one.stranger.echo("here") == "here"
    assert one.stranger.slots().active == 255
    assert denied(lambda: one.stranger.upload(shop.images(1)[0].data))
    assert update(one.owner, shop.images(1)).confirmed, "over the restart, which locks the line"
    one.owner.lock()
    for act in (
        lambda: one.stranger.load(bytes(64)), one.stranger.infer, one.stranger.output, one.stranger.profile,
        one.stranger.health, one.stranger.clear_health, one.stranger.confirm, one.stranger.revert,
        one.stranger.erase, one.stranger.reset,
    ):  # fmt: skip
        assert denied(act)
    assert one.stranger.model().sha256 == shop.images(1)[0].model_sha256.hex()
    data = shop.bundles(1).samples().inputs[0][0].tobytes()
    one.owner.load(data)
    one.owner.infer()
    assert one.owner.output() == shop.bundles(1).samples().expected[0][0].tobytes()


def test_text_commands_are_closed_too(shops: Callable[[str], Workshop]) -> None:
    one = seen(shops("cortex-m0"))
    update(one.owner, shops("cortex-m0").images(1))
    one.owner.lock()
    locked = ["e-[locked: this firmware was built with --secure]"]
    commands = ["db load 64", "db print", "infer 1 0", "results", "ts-infer 1 0", "ts-output 0", "ts-profile",
                "ts-reset", "timestamp", "help", "ts-info", "ts-memory", "ts-select 0"]  # fmt: skip
    for command in commands:
        assert say(one.device, command) == locked, command
    assert say(one.device, "name")[0].startswith("m-name-dut-[")
    assert say(one.device, "profile")
    one.owner.unlock(LINE_KEY.sign)
    assert say(one.device, "db load 64") != locked


def test_another_key_opens_nothing(shops: Callable[[str], Workshop]) -> None:
    one = seen(shops("cortex-m0"))
    for key in (KEY, OTHER_KEY):
        with pytest.raises(DeviceError, match="does not know the line's key") as caught:
            SmpDevice(SmpClient(one.device.link), key.sign).health()
        assert "--line-key" in caught.value.hint
    assert denied(one.stranger.health)


def test_a_signature_opens_the_line_once(shops: Callable[[str], Workshop]) -> None:
    kept: list[bytes] = []

    def overheard(message: bytes) -> bytes:
        kept.append(LINE_KEY.sign(message))
        return kept[-1]

    one = seen(shops("cortex-m0"))
    SmpDevice(SmpClient(one.device.link), overheard).health()
    one.owner.lock()
    with pytest.raises(DeviceError, match="does not know"):
        SmpDevice(SmpClient(one.device.link), lambda _: kept[0]).health()
    assert denied(one.stranger.health)


def test_a_generator_that_is_stuck_keeps_the_line_closed(shops: Callable[[str], Workshop]) -> None:
    one = seen(shops("cortex-m0"))
    one.device.machine.controller.random = lambda count: b"\x07" * count
    with pytest.raises(SmpError, match="not in this state"):
        one.owner.health()
    one.device.machine.controller.random = repeating()
    one.owner.health()
    one.owner.lock()
    with pytest.raises(SmpError, match="not in this state"):
        one.owner.health()


def repeating() -> Callable[[int], bytes]:
    """The same 32 numbers in each draw."""
    drawn = itertools.count()
    return lambda count: bytes([next(drawn) % 32]) + bytes(count - 1)


def test_a_reset_and_a_start_lock_the_line(shops: Callable[[str], Workshop], tmp_path: Path) -> None:
    shop = shops("cortex-m0")
    one = seen(shop, tmp_path / "kept")
    one.owner.health()
    assert not denied(one.stranger.health)
    one.stranger.reset()
    assert denied(one.stranger.health)
    one.owner.health()
    one.device.close()
    again = seen(shop, tmp_path / "kept")
    assert denied(again.stranger.health), "from a sleep that kept the RAM"
    again.device.close()


def test_firmware_without_a_line_key_is_open(m0: Workshop) -> None:
    device = SmpDevice(SmpClient(m0.device().link), LINE_KEY.sign)
    device.health()
    device.unlock(LINE_KEY.sign)
    device.lock()
    device.health()


def test_a_server_opens_the_line_while_it_serves(shops: Callable[[str], Workshop], tmp_path: Path) -> None:
    one = seen(shops("cortex-m0"))
    key = tmp_path / "line.pem"
    key.write_bytes(
        LINE_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # as `keys new` writes it
    )
    key.chmod(0o600)
    spec = MemberSpec(
        name="a", model="m", link="twin:a", board="cortex-m0", slots=True, line_key=str(key)
    )  # fmt: skip
    served = Slots(one.device.link, spec)
    served.prepare("")
    assert not denied(one.stranger.health)
    served.close()
    assert denied(one.stranger.health)
    one.device.close()
