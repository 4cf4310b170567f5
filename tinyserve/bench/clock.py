# SPDX-License-Identifier: Apache-2.0
"""Which clock a real board's cycles are turned into time with, and whether its sources agree.

A board file states a clock that a core may set otherwise, or that is another revision's: every latency
would be wrong by that factor, and nothing would look wrong. So the firmware says what its core believes, and
counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.boards.types import Board
from tinyserve.devices.client import DeviceInfo

TOLERANCE = 0.01
"""Oscillators are better than this; what differs by more is another setting."""

_COUNTED, _CORE = "counted against micros()", "the core's own word"
_TICKS, _FILE = "the firmware's tick_hz", "the board file"


@dataclass(frozen=True)
class Clock:
    """``hz`` is used, by the word of ``source``. ``note`` says what differs, "" where all agree."""

    hz: int
    source: str
    note: str = ""


def clock_of(info: DeviceInfo, board: Board) -> Clock:
    """The clock to use for a device: what was counted, else what its core says, else what its firmware
    was built with, else the board file's."""
    said = {_CORE: info.clock_hz, _FILE: board.clock_hz}
    if info.tick_unit == "cycles":
        built = 0 if info.counted_tick_hz else info.tick_hz
        said = {_COUNTED: info.counted_tick_hz, _CORE: info.clock_hz, _TICKS: built, _FILE: board.clock_hz}
    known = {source: hz for source, hz in said.items() if hz > 0}
    source, hz = next(iter(known.items()))
    differing = [other for other, value in known.items() if abs(value - hz) > TOLERANCE * hz]
    if not differing:
        return Clock(hz, source)
    values = ", ".join(f"{value / 1e6:.2f} MHz by {other}" for other, value in known.items())
    effect = "cycles become time with it" if info.tick_unit == "cycles" else "times are microseconds by it"
    return Clock(hz, source, f"the clock: {values}; used is {source}: {effect}")
