# SPDX-License-Identifier: Apache-2.0
"""Joulescope JS110 and JS220, through their maker's ``joulescope`` package.

Wire the board's marker pin to IN0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyserve.bench.energy.trace import Trace
from tinyserve.errors import DeviceError, ToolError

RATE_HZ = 100_000
BUFFER_S = 60
SIGNALS = ("current", "voltage", "current_lsb")


class JoulescopeMeter:
    """The only connected Joulescope. It measures voltage too: the trace's supply is the mean measured one.

    ``driver`` is the ``joulescope`` module (a parameter for tests).
    """

    def __init__(self, driver: Any = None) -> None:
        driver = driver or _driver()
        try:
            self._device = driver.scan_require_one(config="auto")
            self._device.open()
        except (RuntimeError, OSError) as error:
            raise DeviceError(
                f"no Joulescope can be opened: {error}", "connect one, and close the Joulescope UI"
            ) from error
        settings = {
            "sensor_power": "on", "source": "on", "i_range": "auto", "sampling_frequency": RATE_HZ,
            "buffer_duration": BUFFER_S, "current_lsb": "gpi0",
        }  # fmt: skip
        for name, value in settings.items():
            self._device.parameter_set(name, value)
        self._is_open = True

    def start(self) -> None:
        self._call(self._device.start)

    def poll(self) -> None:
        """The driver records by itself; this finds out that it stopped."""
        if not self._device.is_streaming:
            raise DeviceError("Joulescope: the stream ended", "check its USB cable and run again")

    def stop(self) -> Trace:
        buffer = self._device.stream_buffer
        first, end = buffer.sample_id_range
        data = self._call(buffer.samples_get, first, end, fields=list(SIGNALS))["signals"]
        self._call(self._device.stop)
        current, voltage, marker = (np.asarray(data[name]["value"], dtype=np.float64) for name in SIGNALS)
        good = np.isfinite(current) & np.isfinite(voltage)
        if good.sum() < 2:
            raise DeviceError("Joulescope: sent no samples", "check the wiring and the current range")
        return Trace(
            time_us=np.flatnonzero(good).astype(np.float64) * (1e6 / RATE_HZ),
            current_ua=current[good] * 1e6,
            marker=(marker[good] != 0).astype(np.uint8),
            supply_v=float(voltage[good].mean()),
            meter=f"Joulescope {self._device.device_serial_number}",
            calibration="factory",
            dropped=int((~good).sum()),
        )

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._device.close()

    def _call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except (RuntimeError, OSError, ValueError) as error:
            raise DeviceError(f"Joulescope: {error}", "reconnect it and run again") from error


def _driver() -> Any:
    try:
        import joulescope
    except ImportError as error:
        raise ToolError("the Joulescope needs its maker's package", "pip install joulescope") from error
    return joulescope
