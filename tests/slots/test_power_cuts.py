# SPDX-License-Identifier: Apache-2.0
"""The power goes in an update. These are some of the cuts of python -m tests.slots.power_cuts."""

from __future__ import annotations

import random

import pytest

from tests.slots.conftest import Workshop, smp
from tests.slots.power_cuts import PATHS, Way, cut_all
from tinyserve.devices.emulators.controller import Cut, When
from tinyserve.devices.link import LinkClosed
from tinyserve.slots.update import update


@pytest.mark.parametrize("way", PATHS, ids=lambda way: way.name)
def test_a_cut_leaves_a_device_that_serves(workshop: Workshop, way: Way) -> None:
    operations, starts = cut_all(workshop, way, every=331, least=4)
    assert operations > 500
    assert starts > 6


@pytest.mark.parametrize("when", When)
def test_an_update_that_lost_its_power_is_finished_by_the_next_try(workshop: Workshop, when: When) -> None:
    device = workshop.device()
    board = smp(device)
    update(board, workshop.images(1))
    before = device.machine.read_flash()
    controller = device.machine.controller
    draw = random.Random(int(when))
    for number in (*draw.sample(range(2, 500), 2), 1):
        device.machine.write_flash(before)
        device.machine.power_on()
        device.link.discard_input()
        controller.count, controller.cut = 0, Cut(number, when, seed=number)
        with pytest.raises(LinkClosed, match="the power is gone"):
            update(board, workshop.images(2, counter=2))
        controller.cut = None
        device.machine.power_on()
        device.link.discard_input()
        assert board.model().sha256 == workshop.bundles(1).manifest.model_sha256
        done = update(board, workshop.images(2, counter=2))
        assert (done.slot, done.confirmed) == (1, True)
        assert board.model().sha256 == workshop.bundles(2).manifest.model_sha256
    assert controller.violations == 0
