# SPDX-License-Identifier: Apache-2.0
"""A line that loses, doubles, corrupts and reorders what goes over it loses nothing of an update."""

from __future__ import annotations

import random

import pytest

from tests.slots.conftest import Workshop
from tinyserve.devices.emulators.updatable import UpdatableDevice
from tinyserve.devices.link import Link
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.slots.update import update


class BadLine(Link):
    """A device's link with faults in both directions."""

    def __init__(self, device: UpdatableDevice, seed: int) -> None:
        super().__init__("a bad line")
        self._link = device.link
        self._draw = random.Random(seed)
        self._late: list[bytes] = []
        self.faults = 0

    def _send(self, data: bytes) -> None:
        for line in self._worsened(data):
            self._link.write(line)

    def _receive(self, timeout_s: float) -> bytes:
        return b"".join(self._worsened(self._link.read_some(timeout_s)))

    def _worsened(self, data: bytes) -> list[bytes]:
        given: list[bytes] = []
        for line in data.splitlines(keepends=True):
            fault = self._draw.randrange(40)
            self.faults += fault < 4
            if fault == 0:
                continue
            if fault == 1:
                given += [line, line]
            elif fault == 2:
                at = self._draw.randrange(len(line))
                given.append(line[:at] + bytes([self._draw.randrange(256)]) + line[at + 1 :])
            elif fault == 3:
                self._late.append(line)
            else:
                given.append(line)
                if self._late and self._draw.random() < 0.5:
                    given.append(self._late.pop())
        return given


@pytest.mark.parametrize("seed", range(3))
def test_an_update_over_a_bad_line_is_whole(m0: Workshop, seed: int) -> None:
    device = m0.device()
    line = BadLine(device, seed)
    board = SmpDevice(SmpClient(line, tries=40))
    done = update(board, m0.images(1))
    assert done.confirmed
    samples = m0.bundles(1).samples()
    for given, wanted in zip(samples.inputs[0], samples.expected[0], strict=True):
        board.load(given.tobytes())
        board.infer()
        assert board.output() == wanted.tobytes()
    assert line.faults > 5
    assert device.machine.controller.violations == 0
