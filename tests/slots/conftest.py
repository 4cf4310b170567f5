# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.slots.models import bundle_of, classifier
from tests.support import cache
from tinyserve import boards, workflow
from tinyserve.boards.types import Board
from tinyserve.bundle import Bundle
from tinyserve.devices.emulators.controller import WritableFlash
from tinyserve.devices.emulators.updatable import UpdatableDevice
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.devices.symbols import Symbols
from tinyserve.firmware.build import build
from tinyserve.slots.body import compile_for_slots
from tinyserve.slots.firmware import Settings, memory_for, render_slots
from tinyserve.slots.image import Version
from tinyserve.slots.layout import FIRMWARE_BYTES, Layout, layout_of
from tinyserve.slots.read import ImageFile
from tinyserve.slots.signing import Signing, sign_bundle
from tinyserve.slots.update import images

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
CORES = ("cortex-m0", "cortex-m4", "rv32imc")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with cache.own(tmp_path_factory):
        yield


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Bundle]:
    """The classifier, trained with a seed."""
    directory = tmp_path_factory.mktemp("bundles")
    made: dict[int, Bundle] = {}

    def bundle(seed: int) -> Bundle:
        if seed not in made:
            made[seed] = bundle_of(classifier(seed), directory, f"tiny{seed}")
        return made[seed]

    return bundle


@dataclass
class Workshop:
    """Firmware and images for a board."""

    board: Board
    elf: Path
    directory: Path
    bundles: Callable[[int], Bundle]

    def images(
        self, seed: int, counter: int = 1, key: Ed25519PrivateKey = KEY, **more: object
    ) -> list[ImageFile]:
        directory = self.directory / "-".join(map(str, (seed, counter, key is KEY, *sorted(more))))
        signing = Signing(key, counter, Version(1, 2, seed), **more)  # type: ignore[arg-type]
        target = workflow.target(self.board, "balanced")
        sign_bundle(self.bundles(seed), self.board, signing, directory, target=target)
        return images(directory)

    @property
    def layout(self) -> Layout:
        return layout_of(self.board)

    def device(self, kept: Path | None = None) -> UpdatableDevice:
        layout = self.layout
        flash = WritableFlash(layout.first, layout.end, layout.sector_bytes)
        return UpdatableDevice(Symbols(self.elf), self.board, flash, kept)


def make_workshop(
    core: str,
    directory: Path,
    bundles: Callable[[int], Bundle],
    line_key: Ed25519PublicKey | None = None,
) -> Workshop:
    board = small(boards.load(core))
    compiled = compile_for_slots(bundles(1).model_bytes(), workflow.target(board, "balanced"))
    settings = Settings(key=KEY.public_key(), memory=memory_for(compiled), line_key=line_key)
    project = render_slots(compiled, board, settings, directory / "firmware")
    return Workshop(board, build(project, optimize="-Os").elf, directory, bundles)


def small(board: Board) -> Board:
    """With flash for slots of 32 KB: erased sectors are looked at before an upload, which takes time."""
    assert board.flash is not None and board.ram is not None
    flash = msgspec.structs.replace(board.flash, bytes=FIRMWARE_BYTES + 2 * 4096 + 2 * 32768)
    ram = msgspec.structs.replace(board.ram, bytes=65536)
    return msgspec.structs.replace(board, flash=flash, ram=ram)


def smp(device: UpdatableDevice) -> SmpDevice:
    return SmpDevice(SmpClient(device.link))


@pytest.fixture(scope="session")
def workshops(
    session_cache: None, tmp_path_factory: pytest.TempPathFactory, bundles: Callable[[int], Bundle]
) -> Callable[[str], Workshop]:
    """What a core needs, built once."""
    made: dict[str, Workshop] = {}

    def workshop(core: str) -> Workshop:
        if core not in made:
            made[core] = make_workshop(core, tmp_path_factory.mktemp(core), bundles)
        return made[core]

    return workshop


@pytest.fixture(params=CORES)
def workshop(request: pytest.FixtureRequest, workshops: Callable[[str], Workshop]) -> Workshop:
    return workshops(request.param)


@pytest.fixture
def m0(workshops: Callable[[str], Workshop]) -> Workshop:
    """For what is the same on every core."""
    return workshops("cortex-m0")
