# SPDX-License-Identifier: Apache-2.0
"""Energy: current meters, their traces, and what an inference takes."""

from __future__ import annotations

import errno
from pathlib import Path

from tinyserve import platforms
from tinyserve.bench.energy.meter import Meter
from tinyserve.errors import DeviceError, UsageError

METERS = ("ppk2[:PORT]", "joulescope", "lpm01a:PORT", "serial:PORT", "file:TRACE.csv")
DEFAULT_SUPPLY_V = 3.3


def check_meter(text: str, supply_v: float | None = None) -> None:
    """What can be checked of a meter without opening it: its kind, its port or its file.

    Raises UsageError, DeviceError, and what a trace file raises.
    """
    kind, _, place = text.partition(":")
    if kind == "file" and place:
        from tinyserve.bench.energy import trace

        trace.load(Path(place), supply_v)
    elif kind in ("serial", "lpm01a", "ppk2") and (place or kind == "ppk2"):
        error = platforms.here().port_error(place) if place else None
        if error is not None:
            other = error.errno == errno.ENOTTY
            what = f"{place} is no serial port" if other else f"there is no port {place}"
            raise DeviceError(f"--energy {text}: {what}", "check the cable, and the port's name")
    elif kind != "joulescope":
        raise _unknown(text)


def _unknown(text: str) -> UsageError:
    return UsageError(f"no such meter: {text}", f"use one of {', '.join(METERS)}")


def open_meter(text: str, supply_v: float | None = None) -> Meter:
    """The meter that ``text`` names (one of METERS). ``supply_v`` None: 3.3 V, or what the trace file says.

    Raises UsageError for another name, ToolError where a package is missing, DeviceError where the meter does
    not answer.
    """
    kind, _, place = text.partition(":")
    volts = supply_v or DEFAULT_SUPPLY_V
    if kind == "file" and place:
        from tinyserve.bench.energy.replay import ReplayMeter

        return ReplayMeter(Path(place), supply_v)
    if kind == "serial" and place:
        from tinyserve.bench.energy.line_protocol import LineMeter

        return LineMeter(place, volts)
    if kind == "lpm01a" and place:
        from tinyserve.bench.energy.lpm01a import Lpm01aMeter

        return Lpm01aMeter(place, volts)
    if kind == "ppk2":
        from tinyserve.bench.energy.ppk2 import Ppk2Meter

        return Ppk2Meter(place, volts)
    if kind == "joulescope":
        from tinyserve.bench.energy.joulescope import JoulescopeMeter

        return JoulescopeMeter()
    raise _unknown(text)
