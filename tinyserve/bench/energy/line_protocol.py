# SPDX-License-Identifier: Apache-2.0
"""Any meter that a few lines of firmware turn into text: an INA2xx on a microcontroller, a bench multimeter.

The meter sends lines of ASCII from power-up on, or from the command ``start`` on, at 115200 baud::

    timestamp_us,current_ua           1200345,5210.4
    timestamp_us,current_ua,marker    1200345,5210.4,1

Time is the meter's own clock in microseconds (32 bits that wrap are unwrapped); ``nan`` says that a sample
was beyond the range, ``drop,N`` that N samples were lost; lines that begin with ``#`` are comments.
"""

from __future__ import annotations

import math
import re

import numpy as np

from tinyserve.bench.energy.port import MeterPort
from tinyserve.bench.energy.trace import Trace
from tinyserve.errors import DeviceError

BAUD = 115200
_WRAP_US = 1 << 32
_LEAP_US = 1e6
_MAX_BAD_LINES = 20
_NUMBER = re.compile(r"\s*(nan|[+-]?[0-9]{1,15}(\.[0-9]{0,15})?([eE][+-]?[0-9]{1,2})?)\s*", re.IGNORECASE)


class LineMeter:
    """The meter behind ``serial:PORT``."""

    def __init__(self, port: str, supply_v: float) -> None:
        self._port = MeterPort(port, BAUD, "line-protocol meter")
        self._supply_v = supply_v
        self._clear()

    def start(self) -> None:
        self._port.read()  # what it said before is of no interest
        self._clear()
        self._port.write(b"start\n")

    def poll(self) -> None:
        for line in self._port.lines():
            if line and not line.startswith("#"):
                self._take(line)

    def stop(self) -> Trace:
        self.poll()
        self._port.write(b"stop\n")
        if len(self._times) < 2:
            raise DeviceError(
                f"{self._port.name}: sent no samples", "check its baud rate (115200) and wiring"
            )
        return Trace(
            time_us=np.array(self._times),
            current_ua=np.array(self._currents),
            marker=np.array(self._markers, dtype=np.uint8) if self._has_marker else None,
            supply_v=self._supply_v,
            meter=self._port.name,
            dropped=self._dropped,
            overrange=self._overrange,
        )

    def close(self) -> None:
        self._port.close()

    def _clear(self) -> None:
        self._times: list[float] = []
        self._currents: list[float] = []
        self._markers: list[int] = []
        self._has_marker = False
        self._dropped = self._overrange = self._bad = 0
        self._base_us = 0.0
        self._doubted_us = math.inf
        self._first_line = True

    def _take(self, line: str) -> None:
        fields = line.split(",")
        try:
            if fields[0] == "drop":
                self._dropped += _whole(fields[1])
                return
            time_us, current_ua = _number(fields[0]) + self._base_us, _number(fields[1])
            marker = _whole(fields[2]) if len(fields) > 2 else 0
        except (ValueError, IndexError) as error:
            self._refuse(line, error)
            return
        if self._times and time_us < self._times[-1] - _WRAP_US / 2:
            self._base_us += _WRAP_US
            time_us += _WRAP_US
        if not self._in_time(time_us):
            self._refuse(line, None)
            return
        self._first_line = False
        if not np.isfinite(current_ua):
            self._overrange += 1
            return
        self._has_marker = self._has_marker or len(fields) > 2
        self._times.append(time_us)
        self._currents.append(current_ua)
        self._markers.append(1 if marker else 0)

    def _in_time(self, time_us: float) -> bool:
        """Whether a time goes on from the one before. One that leaps (a digit was lost or changed) does
        where the next
        goes on from it: then the meter itself had a pause."""
        if not np.isfinite(time_us):
            return False
        last = self._times[-1] if self._times else time_us
        doubted, self._doubted_us = self._doubted_us, time_us
        return 0 <= time_us - last <= _LEAP_US or (time_us > last and 0 <= time_us - doubted <= _LEAP_US)

    def _refuse(self, line: str, error: Exception | None) -> None:
        """The first line may be half a line; some garbled ones are lost samples; many are another program."""
        if self._first_line:
            self._first_line = False
            return
        self._bad += 1
        self._dropped += 1
        if self._bad > _MAX_BAD_LINES:
            raise DeviceError(
                f"{self._port.name}: sends what is not timestamp_us,current_ua: {line[:60]!r}",
                "check the port and its baud rate (115200)",
            ) from error


def _number(text: str) -> float:
    """A number of a sane length, or nan. Raises ValueError."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"no number: {text[:20]!r}")
    return float(text)


def _whole(text: str) -> int:
    return int(_number(text))
