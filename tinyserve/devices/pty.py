"""Keeps a device on a pseudo-terminal, for any program that wants a serial port (MLPerf Tiny's
runner)."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

from tinyserve.devices.device import Device
from tinyserve.devices.link import NoAnswer
from tinyserve.errors import UsageError

IDLE_S = 0.05
BACKLOG_BYTES = 1 << 16


def serve(
    device: Device, announce: Callable[[str], None], is_over: Callable[[], bool] = lambda: False
) -> None:
    """Passes bytes between the device and a new pty until ``is_over`` (asked between bytes), Ctrl-C, or the
    end of the device. ``announce`` gets the path that programs open. They may come and go; the device
    stays.

    Raises UsageError where there are no ptys, and what the device's link raises when the device is gone.
    """
    if sys.platform == "win32":
        raise UsageError("Windows has no pseudo-terminals", "use --port with a virtual COM port pair")
    import tty

    # Our own end of the terminal stays open: without it, the first program that leaves would end it for all.
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        os.set_blocking(master, False)
        announce(os.ttyname(slave))
        _pass_on(device, master, is_over)
    finally:
        os.close(master)
        os.close(slave)


def _pass_on(device: Device, master: int, is_over: Callable[[], bool]) -> None:
    backlog = b""
    idle_s = 0.0
    while not is_over():
        wants_write = [master] if backlog else []
        readable, writable, _ = select.select([master], wants_write, [], idle_s)
        if readable:
            device.link.write(os.read(master, BACKLOG_BYTES))
        if writable:
            backlog = backlog[os.write(master, backlog) :]
        said = _listen(device) if len(backlog) < BACKLOG_BYTES else b""
        backlog += said
        idle_s = 0.0 if said or readable else IDLE_S


def _listen(device: Device) -> bytes:
    try:
        return device.link.read_some(0.01)
    except NoAnswer:
        return b""  # an emulated firmware that waits for its next command
