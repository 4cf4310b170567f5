# SPDX-License-Identifier: Apache-2.0
"""The counters of a fleet: of each device, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.errors import TinyserveError
from tinyserve.health.counters import Counters, read
from tinyserve.progress import Progress, silent
from tinyserve.slots.connection import connect
from tinyserve.slots.fleet.config import Device


@dataclass(frozen=True)
class Reading:
    """Of a device: its counters, or why there are none."""

    name: str
    counters: Counters | None
    failure: str = ""


def read_fleet(
    devices: Sequence[Device], model_sha256: str, clear: bool = False, progress: Progress = silent
) -> list[Reading]:
    """The counters of each device that can be reached and serves the model."""
    return [
        _read(device, model_sha256, clear, progress, index, len(devices))
        for index, device in enumerate(devices)
    ]


def _read(  # noqa: PLR0917 - where in the fleet, for the progress
    device: Device, model: str, clear: bool, progress: Progress, index: int, count: int
) -> Reading:
    progress("reading counters", index, count)
    try:
        with connect(device.target) as board:
            state = board.health()
            if state.sha256 != model:
                return Reading(device.name, None, f"serves {state.sha256[:16] or 'no model'}")
            seen = read(state.data, state.sha256)
            if clear:
                board.clear_health()
    except TinyserveError as error:
        return Reading(device.name, None, error.message)
    return Reading(device.name, seen)
