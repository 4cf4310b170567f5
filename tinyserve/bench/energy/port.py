# SPDX-License-Identifier: Apache-2.0
"""A meter's serial port: opened, read and written with errors that say what to do."""

from __future__ import annotations

import time

import serial

from tinyserve.devices.ports import checked, is_url
from tinyserve.errors import DeviceError

MAX_LINE_BYTES = 4096


class MeterPort:
    """A serial port of a meter, or a URL that ``ports.checked`` takes. Raises DeviceError when it can't be
    opened or vanishes, UsageError for other URLs."""

    def __init__(self, port: str, baud: int, name: str) -> None:
        self.name = f"{name} at {port}"
        named = checked(port) if is_url(port) else port
        try:
            self._serial = serial.serial_for_url(named, baudrate=baud, timeout=0, write_timeout=5)
        except (OSError, ValueError) as error:
            raise DeviceError(
                f"{self.name}: cannot be opened: {error}",
                "check the cable, the port's name and its permissions",
            ) from error
        self._buffer = bytearray()
        self._kept: list[str] = []

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except OSError as error:
            raise self._vanished(error) from error

    def read(self) -> bytes:
        """What has come; b"" where nothing has."""
        try:
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        except (OSError, TypeError) as error:
            raise self._vanished(error) from error

    def lines(self) -> list[str]:
        """The whole lines that have come, without their ends."""
        self._buffer += self.read()
        *whole, rest = bytes(self._buffer).split(b"\n")
        if max(map(len, (*whole, rest))) > MAX_LINE_BYTES:
            raise DeviceError(
                f"{self.name}: more than {MAX_LINE_BYTES} bytes without a line end",
                "check the baud rate, and that this port is the meter's",
            )
        self._buffer = bytearray(rest)
        lines = self._kept + [line.decode("ascii", errors="replace").strip() for line in whole]
        self._kept = []
        return lines

    def wait_for(self, wanted: str, timeout_s: float) -> str:
        """The first line that contains ``wanted``; those after it are kept for ``lines``.

        Raises DeviceError for "error" lines and silence.
        """
        deadline = time.monotonic() + timeout_s
        seen = ""
        while time.monotonic() < deadline:
            lines = self.lines()
            for index, line in enumerate(lines):
                seen = line or seen
                if wanted in line:
                    self._kept = lines[index + 1 :]
                    return line
                if line.lower().startswith("error"):
                    raise DeviceError(f"{self.name}: {line}", "power-cycle the meter and try again")
            time.sleep(0.002)
        raise DeviceError(
            f"{self.name}: no '{wanted}' within {timeout_s:g} s; received last: {seen!r}",
            "check that the port is the meter's, then power-cycle it",
        )

    def close(self) -> None:
        self._serial.close()

    def _vanished(self, error: Exception) -> DeviceError:
        return DeviceError(f"{self.name}: the meter vanished: {error}", "check its cable and run again")
