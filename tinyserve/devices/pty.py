# SPDX-License-Identifier: Apache-2.0
"""Keeps a device on a pseudo-terminal, for any program that wants a serial port (MLPerf Tiny's
runner)."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from tinyserve import platforms
from tinyserve.devices.device import Device
from tinyserve.devices.link import NoAnswer

IDLE_S = 0.05
BACKLOG_BYTES = 1 << 16


def serve(
    device: Device,
    announce: Callable[[str], None],
    is_over: Callable[[], bool] = lambda: False,
    pulse_s: float | None = None,
    poll: Callable[[], None] = lambda: None,
) -> None:
    """Passes bytes between the device and a new pty until ``is_over`` (asked between bytes), Ctrl-C, or the
    end of the device. ``announce`` gets the path that programs open. They may come and go; the device
    stays. With ``pulse_s`` a command that takes longer is answered a line "m-[still running]" each time: for
    programs that give up on silence, since an emulator is slower than its board. ``poll`` is called in
    between, and may itself speak to the device.

    Raises UsageError where there are no ptys, and what the device's link raises when the device is gone.
    """

    def over() -> bool:
        poll()
        return is_over()

    # The programs' end stays open here, too: without it, the first one that leaves would end it for all.
    terminal = platforms.here().open_terminal()
    try:
        announce(terminal.name)
        _pass_on(device, terminal.ours, over, _Pulse(pulse_s))
    finally:
        os.close(terminal.ours)
        os.close(terminal.theirs)


class _Pulse:
    """Whether a command is being worked on in silence."""

    def __init__(self, every_s: float | None) -> None:
        self._every_s = every_s
        self._working = False
        self._at_line_start = True
        self._last = 0.0
        self._tail = b""

    def asked(self, data: bytes) -> None:
        self._working = self._working or b"%" in data
        self._last = time.monotonic()

    def answered(self, data: bytes) -> None:
        if data:
            self._tail = (self._tail + data)[-len(_READY) :]
            self._working = self._working and self._tail != _READY
            self._at_line_start = data.endswith(b"\n")
            self._last = time.monotonic()

    def due(self) -> bytes:
        """A line to say in between, or nothing."""
        if self._every_s is None or not (self._working and self._at_line_start):
            return b""
        if time.monotonic() - self._last < self._every_s:
            return b""
        self._last = time.monotonic()
        return _STILL_RUNNING


_READY = b"m-ready\r\n"
_STILL_RUNNING = b"m-[still running]\r\n"


def _pass_on(device: Device, master: int, is_over: Callable[[], bool], pulse: _Pulse) -> None:
    backlog = b""
    idle_s = 0.0
    while not is_over():
        wants_write = [master] if backlog else []
        readable, writable, _ = select.select([master], wants_write, [], idle_s)
        if readable:
            asked = os.read(master, BACKLOG_BYTES)
            pulse.asked(asked)
            device.link.write(asked)
        if writable:
            backlog = backlog[os.write(master, backlog) :]
        said = _listen(device) if len(backlog) < BACKLOG_BYTES else b""
        pulse.answered(said)
        backlog += said + pulse.due()
        idle_s = 0.0 if said or readable else IDLE_S


def _listen(device: Device) -> bytes:
    try:
        return device.link.read_some(0.01)
    except NoAnswer:
        return b""  # an emulated firmware that waits for its next command
