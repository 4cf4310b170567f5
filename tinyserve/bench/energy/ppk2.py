# SPDX-License-Identifier: Apache-2.0
"""Nordic Power Profiler Kit II, by Nordic's protocol as ``ppk2-api`` speaks it: 100,000 samples per second.

Wire the board's marker pin to D0 (and the kit's VCC to the board's supply). Each sample is a 32-bit word: 14
bits of the converter, 3 of the range, a counter of 6 bits from bit 18 that tells lost samples, and 8 logic
inputs.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import platforms
from tinyserve.bench.energy.ppk2_stream import WORD_BYTES, align
from tinyserve.bench.energy.trace import Trace
from tinyserve.errors import DeviceError, ToolError, UsageError
from tinyserve.words import counted

SAMPLE_US = 10.0
_LEAST_USABLE = 0.5
_ADC_FULL = (1 << 14) - 1
_TOP_RANGE = 4
_MARKER_BIT = 1 << 24


class Ppk2Meter:
    """The kit at ``port``, "" finds the only one. It supplies the board with ``supply_v`` volts, or with
    ``ampere`` measures what another supply of that voltage gives."""

    def __init__(self, port: str, supply_v: float, ampere: bool = False) -> None:
        if not 0.8 <= supply_v <= 5.0:
            raise UsageError(f"the PPK2 supplies 0.8 to 5 V, not {supply_v:g}", "choose another --supply-v")
        api = _api()
        self._port = port or _only_port(api)
        self._supply_v = supply_v
        logging.getLogger().addFilter(_quiet)
        try:
            self._kit: Any = api(self._port, timeout=1, write_timeout=1)
            known = self._kit.get_modifiers()
        except (OSError, ValueError) as error:
            raise self._gone(error) from error
        if not known or self._kit.modifiers["HW"] is None:
            self._kit.ser.close()
            raise DeviceError(
                f"{self._port}: does not answer as a PPK2", "check the port, and reconnect the kit"
            )
        self._calibrated = str(self._kit.modifiers["Calibrated"]).strip()
        if ampere:
            self._kit.use_ampere_meter()
        else:
            self._kit.use_source_meter()
        self._kit.set_source_voltage(round(supply_v * 1000))
        self._kit.toggle_DUT_power("ON")
        self._chunks: list[bytes] = []

    def start(self) -> None:
        self._chunks = []
        try:
            self._kit.get_data()
            self._kit.start_measuring()
        except OSError as error:
            raise self._gone(error) from error

    def poll(self) -> None:
        try:
            self._chunks.append(self._kit.get_data())
        except (OSError, TypeError) as error:
            raise self._gone(error) from error

    def stop(self) -> Trace:
        self._kit.stop_measuring()
        self.poll()
        data = b"".join(self._chunks)
        if len(data) < 2 * WORD_BYTES:
            raise DeviceError(f"PPK2 at {self._port}: sent no samples", "reconnect the kit")
        stream = align(data)
        words = stream.words
        if WORD_BYTES * len(words) < _LEAST_USABLE * len(data):
            raise DeviceError(
                f"PPK2 at {self._port}: only {len(words):,} of "
                f"{counted(len(data) // WORD_BYTES, 'sample is', 'samples are')} sound;"
                f" the stream broke off {stream.torn:,} times",
                "connect it to another USB port, without a hub, and close other programs that use it",
            )
        currents, _ = self._kit.get_samples(words.tobytes())
        return Trace(
            time_us=stream.place.astype(np.float64) * SAMPLE_US,
            current_ua=np.array(currents, dtype=np.float64),
            marker=((words & _MARKER_BIT) != 0).astype(np.uint8),
            supply_v=self._supply_v,
            meter=f"PPK2 at {self._port}",
            calibration=f"calibrated={self._calibrated}, hardware {self._kit.modifiers['HW']}".strip(),
            dropped=stream.lost,
            overrange=overranges(words),
        )

    def close(self) -> None:
        if self._kit.ser.is_open:
            try:
                self._kit.toggle_DUT_power("OFF")
            finally:
                self._kit.ser.close()

    def _gone(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"PPK2 at {self._port}: cannot be reached: {error}",
            "check its cable, and that no other program has it",
        )


def overranges(words: npt.NDArray[np.uint32]) -> int:
    """Samples at the end of the largest range: the current was at least that."""
    adc, scale = words & _ADC_FULL, (words >> 14) & 7
    return int(((adc == _ADC_FULL) & (scale >= _TOP_RANGE)).sum())


def _api() -> Any:
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError as error:
        raise ToolError("the PPK2 needs ppk2-api", "pip install 'tinyserve[energy]'") from error
    return PPK2_API


def _only_port(api: Any) -> str:
    # A kit shows two ports; the measuring one sorts first.
    ports = sorted(api.list_devices())
    if not ports:
        example = platforms.here().example_port
        raise DeviceError("no PPK2 is connected", f"connect it, or name its port: ppk2:{example}")
    if len(ports) > 2:
        raise DeviceError(f"several PPK2 are connected: {', '.join(ports)}", f"name one: ppk2:{ports[0]}")
    return str(ports[0])


def _quiet(record: logging.LogRecord) -> bool:
    """ppk2-api logs what we report ourselves."""
    return "ppk2_api" not in record.getMessage() and record.module != "ppk2_api"
