# SPDX-License-Identifier: Apache-2.0
"""ST X-NUCLEO-LPM01A (PowerShield), by the ASCII protocol of ST's manual UM2269 over its USB port.

Samples are 7 characters, ``6409-07`` for 6409e-7 A; ``TimeStamp: 003s 100ms, buff 00%`` lines give the time
of the samples that follow. Its stream has no logic input: windows are cut where the current rises and falls.
"""

from __future__ import annotations

import re
import time

import numpy as np

from tinyserve.bench.energy.port import MeterPort
from tinyserve.bench.energy.trace import Trace
from tinyserve.errors import DeviceError, UsageError

BAUD = 3_686_400
MOST_UA = 1e6
"""More than the shield can measure: a damaged exponent."""
RATES = {"100k": 1e5, "50k": 5e4, "20k": 2e4, "10k": 1e4, "5k": 5e3, "2k": 2e3, "1k": 1e3}
ANSWER_TIMEOUT_S = 3.0
_SAMPLE = re.compile(r"([0-9]{4})([+-][0-9]{2})")
_SAMPLES = re.compile(r"([0-9]{4}[+-][0-9]{2})+")
_SAMPLE_CHARACTERS = 7
_STAMP = re.compile(r"TimeStamp:\s*(\d{1,9})s\s*(\d{1,3})ms(?:,\s*buff\s*(\d{1,3})%)?")


class Lpm01aMeter:
    """The shield at ``port``, supplying the board with ``supply_v`` volts (1.8 to 3.3)."""

    def __init__(self, port: str, supply_v: float, rate: str = "10k") -> None:
        if not 1.8 <= supply_v <= 3.3:
            raise UsageError(
                f"the LPM01A supplies 1.8 to 3.3 V, not {supply_v:g}", "choose another --supply-v"
            )
        if rate not in RATES:
            raise UsageError(f"the LPM01A has no rate {rate}", f"use one of {', '.join(RATES)}")
        self._port = MeterPort(port, BAUD, "LPM01A")
        self._supply_v = supply_v
        self._step_us = 1e6 / RATES[rate]
        self._board = ""
        self._clear()
        try:
            self._configure(rate)
        except BaseException:
            self._port.close()
            raise

    def start(self) -> None:
        self._clear()
        self._command("start")

    def poll(self) -> None:
        for line in self._port.lines():
            self._take(line)

    def stop(self) -> Trace:
        self._port.write(b"stop\r\n")
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not self._ended and time.monotonic() < deadline:
            self.poll()
            time.sleep(0.002)
        if not self._ended:
            raise DeviceError(f"{self._port.name}: did not end its acquisition", "power-cycle the shield")
        if len(self._times) < 2:
            raise DeviceError(f"{self._port.name}: sent no samples", "check the wiring of the shield")
        return Trace(
            time_us=np.array(self._times),
            current_ua=np.array(self._currents),
            marker=None,
            supply_v=self._supply_v,
            meter=self._port.name,
            calibration=self._board,
            dropped=self._dropped,
            overrange=self._overrange,
        )

    def close(self) -> None:
        try:
            self._port.write(b"hrc\r\n")
        except DeviceError:
            pass
        finally:
            self._port.close()

    def _configure(self, rate: str) -> None:
        self._command("htc")
        self._board = self._command("powershield").replace("ack powershield", "").strip()
        for setting in (
            f"volt {round(self._supply_v * 1000)}m", f"freq {rate}", "acqtime inf", "trigsrc sw",
            "trigdelay 0", "output current", "format ascii_dec", "pwr on nostatus",
        ):  # fmt: skip
            self._command(setting)

    def _command(self, command: str) -> str:
        self._port.write(command.encode("ascii") + b"\r\n")
        return self._port.wait_for(f"ack {command.split(maxsplit=1)[0]}", ANSWER_TIMEOUT_S)

    def _clear(self) -> None:
        self._times: list[float] = []
        self._currents: list[float] = []
        self._dropped = self._overrange = 0
        self._next_us = 0.0
        self._ended = False

    def _take(self, line: str) -> None:
        stamp = _STAMP.search(line)
        if stamp is not None:
            self._resynchronize(int(stamp[1]) * 1e6 + int(stamp[2]) * 1e3)
        elif "Acquisition completed" in line or line == "end":
            self._ended = True
        elif "overcurrent" in line.lower() or "over range" in line.lower():
            self._overrange += 1
        elif line.lower().startswith("error"):
            raise DeviceError(
                f"{self._port.name}: {line}", "lower the sampling rate, or power-cycle the shield"
            )
        else:
            self._take_samples("".join(line.split()))

    def _take_samples(self, line: str) -> None:
        """The samples of a line without spaces. They have no separators: a line that lost a character has
        other
        numbers from there on, so that all of it is given up."""
        if not _SAMPLE.search(line):
            return
        count = max(1, round(len(line) / _SAMPLE_CHARACTERS))
        found = [int(digits) * 10.0 ** int(power) * 1e6 for digits, power in _SAMPLE.findall(line)]
        if _SAMPLES.fullmatch(line) and max(found) <= MOST_UA:
            self._times.extend(self._next_us + index * self._step_us for index in range(count))
            self._currents.extend(found)
        else:
            self._dropped += count
        self._next_us += count * self._step_us

    def _resynchronize(self, time_us: float) -> None:
        """Time stamps come with a millisecond's resolution: only a larger lag means lost samples."""
        lag = time_us - self._next_us
        if lag >= max(2000.0, 2 * self._step_us) and self._times:
            self._dropped += round(lag / self._step_us)
            self._next_us = time_us
