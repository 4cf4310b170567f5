"""One command and its answer over a link: lines until ``m-ready``, with errors, faults and garbage reported
apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from tinyserve.devices.link import Link, NoAnswer
from tinyserve.errors import DeviceError

READY = "m-ready"
QUIET_S = 0.3
RETRIES = 2
_KNOWN = re.compile(r"(?:m-|ts-|e-\[)[\x20-\x7e]*")
_FAULT = re.compile(r"e-\[fault pc=0x([0-9a-fA-F]+)")


class Garbage(DeviceError):
    """A line came that the protocol does not have: noise, a wrong baud rate, another program on the
    device."""


class Refused(DeviceError):
    """The device answered ``e-[...]``: it understood, and won't."""


class Exchange:
    """Sends commands and gathers answers. ``on_line`` (if given) sees each line of an answer as it comes."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._in_step = True  # False from a command to its whole answer: what comes may belong to an old one

    def ask(self, command: str, timeout_s: float, on_line: Callable[[str], None] | None = None) -> list[str]:
        """The answer's lines without the final ``m-ready``; ``timeout_s`` is for each line.

        Raises Refused, Garbage, NoAnswer and LinkClosed; none is tried again here.
        """
        if not self._in_step:
            self.settle()
        self._in_step = False
        self._link.write(command.encode("ascii") + b"%")
        return self.until_ready(command, timeout_s, on_line)

    def ask_again(self, command: str, timeout_s: float) -> list[str]:
        """As ``ask``, and again after lost or garbled lines. Only for commands that change nothing."""
        for attempt in range(RETRIES + 1):
            try:
                return self.ask(command, timeout_s)
            except (Garbage, NoAnswer):
                if not self._link.is_wire or attempt == RETRIES:
                    raise
        raise AssertionError("unreachable")

    def until_ready(
        self, command: str, timeout_s: float, on_line: Callable[[str], None] | None = None
    ) -> list[str]:
        """Lines up to ``m-ready``."""
        lines: list[str] = []
        refusal = ""
        while True:
            line = self._link.read_line(timeout_s)
            if line == READY:
                break
            if not _KNOWN.fullmatch(line):
                raise self._garbage(line)
            if line.startswith("e-["):
                self._check_fault(line)
                refusal = refusal or line[3:].rstrip("]")
            lines.append(line)
            if on_line:
                on_line(line)
        self._in_step = True
        if refusal:
            raise Refused(f'{self._link.name}: the device refused "{_short(command)}": {refusal}')
        return lines

    def settle(self) -> None:
        """Waits until the line is quiet and drops what came. Ends a half command that the device may hold."""
        with suppress(NoAnswer):
            self._link.write(b"%")
            while True:
                self._link.read_line(QUIET_S)
        self._link.discard_input()
        self._in_step = True

    def _check_fault(self, line: str) -> None:
        match = _FAULT.match(line)
        if match:
            place = self._link.place(int(match[1], 16))
            raise DeviceError(
                f"{self._link.name}: the firmware faulted in {place}: {line}",
                "this is a bug in the firmware or its kernels: report it with the model",
            )

    def _garbage(self, line: str) -> Garbage:
        return Garbage(
            f"{self._link.name}: the device sent what is not the protocol: {_short(line)!r}",
            "check the baud rate and that the port is the board's; flash the firmware again",
        )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
