# SPDX-License-Identifier: Apache-2.0
"""The Joulescope through a stand-in for its maker's driver, whose calls it is held to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.bench.energy.fakes import square
from tinyserve.bench.energy.analysis import measure
from tinyserve.bench.energy.joulescope import JoulescopeMeter
from tinyserve.bench.energy.meter import Recording
from tinyserve.errors import DeviceError

SAMPLES = 2000


class Buffer:
    """stream_buffer: signals by name; lost samples are NaN."""

    def __init__(self, lost: range) -> None:
        current = np.array([square(i) / 1e6 for i in range(SAMPLES)])
        current[list(lost)] = np.nan
        marker = np.array([int(square(i) > 3000) for i in range(SAMPLES)])
        self.signals = {"current": current, "voltage": np.full(SAMPLES, 3.0), "current_lsb": marker}
        self.sample_id_range = (0, SAMPLES)

    def samples_get(self, start: int, stop: int, fields: list[str]) -> dict[str, Any]:
        return {"signals": {name: {"value": self.signals[name][start:stop]} for name in fields}}


class Scope:
    def __init__(self, lost: range = range(0)) -> None:
        self.stream_buffer = Buffer(lost)
        self.device_serial_number = "000123"
        self.is_streaming = False
        self.parameters: dict[str, Any] = {}
        self.calls: list[str] = []

    def open(self) -> None:
        self.calls.append("open")

    def parameter_set(self, name: str, value: Any) -> None:
        self.parameters[name] = value

    def start(self) -> None:
        self.is_streaming = True

    def stop(self) -> None:
        self.is_streaming = False

    def close(self) -> None:
        self.calls.append("close")


class Driver:
    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope

    def scan_require_one(self, config: str) -> Scope:
        if self._scope is None:
            raise RuntimeError("no devices found")
        return self._scope


def test_current_voltage_and_marker_become_a_trace() -> None:
    scope = Scope()
    meter = JoulescopeMeter(Driver(scope))
    with Recording(meter) as recording:
        pass
    meter.close()
    meter.close()
    assert scope.parameters["current_lsb"] == "gpi0"
    assert scope.calls == ["open", "close"]
    energy = measure(recording.trace)
    assert energy.supply_v == pytest.approx(3.0)
    assert energy.per_inference_uj == pytest.approx(5000 * 3.0 * 400 / 1e6)


def test_lost_samples_are_counted_and_leave_a_gap() -> None:
    meter = JoulescopeMeter(Driver(Scope(lost=range(10, 30))))
    with Recording(meter) as recording:
        pass
    assert recording.trace.dropped == 20
    assert recording.trace.time_us[10] == 300.0


def test_a_stream_that_ends_by_itself_is_an_error() -> None:
    scope = Scope()
    meter = JoulescopeMeter(Driver(scope))
    recording = Recording(meter)
    with pytest.raises(DeviceError, match="the stream ended"), recording:
        scope.is_streaming = False
        while not recording.failed():
            pass


def test_no_joulescope_is_an_error() -> None:
    with pytest.raises(DeviceError, match="no devices found"):
        JoulescopeMeter(Driver(None))
