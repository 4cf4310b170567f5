# SPDX-License-Identifier: Apache-2.0
"""What a step of an inference costs at most: steps of one are counted on a board's twin (layers, or rows
where a layer is computed by rows), and a step of n takes the most that n of them in a row take."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tinyserve.bench.counts.profiling import Profile
from tinyserve.bundle import Bundle
from tinyserve.compiler.program import BandCall
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.firmware.build import Firmware

BUDGETS = (1, 2, 3, 4, 8, 16)
BUDGETS_BY_ROWS = (1, 2, 4, 8, 16, 32, 64)


class Step(msgspec.Struct, frozen=True):
    """The costliest step of a budget: ``ticks``, the first layer (or step of one) in it, and how many steps
    an inference has."""

    budget: int
    steps: int
    ticks: int
    first: int


def single_steps(profile: Profile, bundle: Bundle, firmware: Firmware, emulator: str) -> list[int]:
    """Ticks of each step of one: the layers', and where some are computed by rows, those of an inference in
    such steps. Raises DeviceError."""
    calls = firmware.project.compiled.program.calls
    bands = [call for call in calls if isinstance(call, BandCall)]
    if not bands:
        return [layer.ticks for layer in profile.layers]
    most = len(calls) + sum(stage.steps + 1 for band in bands for stage in band.stages)
    with open_device(firmware, firmware.project.board, emulator=emulator) as device:
        client = Client(device.link)
        for index, array in enumerate(bundle.samples().inputs):
            client.load(array[0].tobytes(), index)
        return client.steps(most)


def worst_steps(ticks: Sequence[int], budgets: Sequence[int] = BUDGETS) -> list[Step]:
    """For each budget, up to the first that an inference fits into."""
    found = []
    for budget in budgets:
        sums = [(sum(ticks[at : at + budget]), at) for at in range(0, len(ticks), budget)]
        if not sums:
            break
        most, first = max(sums, key=lambda one: (one[0], -one[1]))
        found.append(Step(budget, len(sums), most, first))
        if budget >= len(ticks):
            break
    return found
