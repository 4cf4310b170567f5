# SPDX-License-Identifier: Apache-2.0
"""Cuts the power before, inside and after every erase and every word that an update writes, through the real
firmware in Unicorn, and starts the device again each time.

    python -m tests.slots.power_cuts        # all cuts on Cortex-M0, M4 and RV32: some ten minutes a core

The contents that a cut leaves are made from the record of what the firmware wrote, by the very function that
the twin's flash is written with.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.slots.conftest import CORES, Workshop, make_workshop, smp
from tests.slots.models import bundle_of, classifier
from tests.slots.test_device import resigned
from tinyserve.devices.emulators.controller import Operation, after
from tinyserve.devices.emulators.updatable import UpdatableDevice
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.errors import RefusedError
from tinyserve.slots.update import NO_SLOT, update


@dataclass(frozen=True)
class Way:
    """A way that an update may go. ``first``: the seed of the model that is confirmed before, 0 for none.
    ``served``: the seeds of models that may serve after a cut."""

    name: str
    first: int
    served: frozenset[int]
    walk: Callable[[Workshop, SmpDevice], None]


def _confirmed(workshop: Workshop, board: SmpDevice) -> None:
    update(board, workshop.images(2, counter=2))


def _refused(workshop: Workshop, board: SmpDevice) -> None:
    image = resigned(workshop.images(2, counter=2)[1], change_golden=1)
    try:
        update(board, [image])
    except RefusedError:
        return
    raise AssertionError("wrong bytes were taken")


def _not_confirmed(workshop: Workshop, board: SmpDevice) -> None:
    update(board, workshop.images(2, counter=2), confirm=False)
    for _ in range(5):
        board.reset()
        board.slots()


PATHS = (
    Way("update", 1, frozenset({1, 2}), _confirmed),
    Way("first model", 0, frozenset({2}), _confirmed),
    Way("wrong bytes", 1, frozenset({1}), _refused),
    Way("never confirmed", 1, frozenset({1, 2}), _not_confirmed),
)


@dataclass(frozen=True)
class Recording:
    """What a path wrote, from which contents on."""

    before: bytes
    operations: list[Operation]


def record(workshop: Workshop, path: Way) -> Recording:
    """Walks the path once without a cut."""
    device = workshop.device()
    board = smp(device)
    if path.first:
        update(board, workshop.images(path.first))
    before = device.machine.read_flash()
    device.machine.controller.record_operations = True
    path.walk(workshop, board)
    return Recording(before, device.machine.controller.operations)


def contents(workshop: Workshop, recording: Recording) -> Iterator[tuple[int, bytes]]:
    """What lies in flash after cuts before (2i), inside (2i + 1) and after (2i + 2) operation i; after one
    is before the next."""
    flash = bytearray(recording.before)
    first = workshop.layout.first
    yield 0, bytes(flash)
    for index, operation in enumerate(recording.operations):
        at = operation.address - first
        size = 4 if operation.word is not None else workshop.layout.sector_bytes
        old = bytes(flash[at : at + size])
        flash[at : at + size] = after(operation, old, random.Random(index))
        yield 2 * index + 1, bytes(flash)
        flash[at : at + size] = after(operation, old)
        yield 2 * index + 2, bytes(flash)


def start(workshop: Workshop, device: UpdatableDevice, flash: bytes, path: Way) -> None:
    """Starts the device with that in its flash. It must answer, serve a model that it may, and compute
    right."""
    device.machine.write_flash(flash)
    device.machine.power_on()
    device.link.discard_input()
    board = smp(device)
    known = {workshop.bundles(seed).manifest.model_sha256: seed for seed in (1, 2)}
    state, model = board.slots(), board.model()
    if state.active == NO_SLOT:
        assert not path.first, "a device that had a model has none"
        assert model.sha256 == ""
        return
    seed = known[model.sha256]
    assert seed in path.served
    samples = workshop.bundles(seed).samples()
    board.load(samples.inputs[0][0].tobytes())
    board.infer()
    assert board.output() == samples.expected[0][0].tobytes()


def cut_all(workshop: Workshop, path: Way, every: int = 1, least: int = 0) -> tuple[int, int]:
    """Operations of the path, and how often the device was started. ``every``: only each n-th of the
    contents, but all around erases, and the last ``least``."""
    recording = record(workshop, path)
    device = workshop.device()
    starts = 0
    last = 2 * len(recording.operations) - least
    erases = {
        2 * index + offset
        for index, operation in enumerate(recording.operations)
        if operation.word is None
        for offset in (0, 1, 2)
    }
    for number, flash in contents(workshop, recording):
        if number % every == 0 or number in erases or number >= last:
            start(workshop, device, flash, path)
            starts += 1
    assert device.machine.controller.violations == 0
    return len(recording.operations), starts


def main() -> int:
    """All cuts on all cores."""
    with tempfile.TemporaryDirectory() as scratch:
        bundles = {seed: bundle_of(classifier(seed), Path(scratch), f"tiny{seed}") for seed in (1, 2)}
        for core in CORES:
            workshop = make_workshop(core, Path(scratch) / core, bundles.__getitem__)
            for path in PATHS:
                began = time.monotonic()
                operations, starts = cut_all(workshop, path)
                print(
                    f"{core}: {path.name}: {operations} erases and words, {3 * operations} cuts, {starts} "
                    f"different contents started, all serve what they may ({time.monotonic() - began:.0f} s)",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
