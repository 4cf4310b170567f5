# SPDX-License-Identifier: Apache-2.0
"""One command and its answer over a link: lines until ``m-ready``, with errors, faults and garbage reported
apart."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tinyserve.devices.client.strangers import is_echo, is_greeting, is_noise, is_restart, recognise
from tinyserve.devices.link import Link, NoAnswer
from tinyserve.errors import DeviceError

READY = "m-ready"
START_UP = "start-up"
QUIET_S = 0.3
SETTLE_S = 3.0
RETRIES = 2
PATIENCE_S = 30.0
"""What all repetitions on one line may take together: a line this bad does not get better."""
MOST_LINES = 1000
"""Of an answer, where the command does not say: the inputs and outputs of a large model."""
SLOWEST_LINE_S = 0.5
"""A line of 300 bytes at 9600 baud, and some more: what each line of an answer adds to the time that all
may take."""
_KNOWN = re.compile(r"(?:m-|ts-|e-\[)[\x20-\x7e]*")
_FAULT = re.compile(r"e-\[fault pc=0x([0-9a-fA-F]+)")


class Garbage(DeviceError):
    """A line came that the protocol does not have: noise, a wrong baud rate, another program on the
    device."""


class Restarted(Garbage):
    """The device started anew in the middle of an answer: its state and its inputs are gone."""


class Refused(DeviceError):
    """The device answered ``e-[...]``: it understood, and won't."""


@dataclass(frozen=True)
class Patience:
    """How long an answer may take: ``line_s`` for each line, ``first_s`` for the first where that comes at
    once, and ``most_s`` for all of them together (None: what a wait for the first, and a slow line's time
    for the rest make)."""

    line_s: float
    first_s: float | None = None
    most_lines: int = MOST_LINES
    most_s: float | None = None

    @property
    def all_s(self) -> float:
        return self.most_s if self.most_s is not None else 2 * self.line_s + SLOWEST_LINE_S * self.most_lines

    def next_s(self, is_first: bool) -> float:
        """For the next line."""
        return self.first_s if is_first and self.first_s is not None else self.line_s


class Exchange:
    """Sends commands and gathers answers. ``on_line`` (if given) sees each line of an answer as it comes."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lost_s = 0.0  # spent on what had to be asked again
        self._in_step = True  # False from a command to its whole answer: what comes may belong to an old one

    def ask(
        self,
        command: str,
        patience: Patience,
        on_line: Callable[[str], None] | None = None,
    ) -> list[str]:
        """The answer's lines without the final ``m-ready``.

        Raises Refused, Garbage, NoAnswer and LinkClosed; none is tried again here.
        """
        if not self._in_step:
            self.settle()
        self._in_step = False
        self._link.write(command.encode("ascii") + b"%")
        return self.until_ready(command, patience, on_line)

    def ask_again(self, command: str, patience: Patience) -> list[str]:
        """As ``ask``, and again after lost or garbled lines. Only for commands that change nothing."""
        for attempt in range(RETRIES + 1):
            begin = time.monotonic()
            try:
                return self.ask(command, patience)
            except Restarted:
                raise
            except (Garbage, NoAnswer) as error:
                self.lost(begin, error)
                if not self._link.is_wire or attempt == RETRIES:
                    raise
        raise AssertionError("unreachable")

    def lost(self, begin: float, error: DeviceError) -> None:
        """Counts what an attempt took that failed. Raises DeviceError when patience is at its end."""
        self._lost_s += time.monotonic() - begin
        if self._lost_s > PATIENCE_S:
            raise DeviceError(
                f"{self._link.name}: the line loses or garbles too much: {self._lost_s:.0f} s went into"
                f" asking again; last: {error.message}",
                "a shorter or shielded cable, another USB port or hub, common ground, a lower baud rate",
            ) from error

    def until_ready(
        self,
        command: str,
        patience: Patience,
        on_line: Callable[[str], None] | None = None,
    ) -> list[str]:
        """Lines up to ``m-ready``."""
        lines: list[str] = []
        refusal = ""
        begin = time.monotonic()
        limit_s = patience.all_s
        while True:
            left_s = limit_s - (time.monotonic() - begin)
            try:
                line = self._link.read_line(min(max(0.0, left_s), patience.next_s(not lines)))
            except NoAnswer as error:
                raise self._silence(error, "" if command == START_UP else command) from error
            if line == READY:
                break
            if len(lines) >= patience.most_lines or left_s <= 0:
                raise self._endless(command, line, len(lines), limit_s - left_s)
            if command != START_UP and is_restart(line):
                raise self._restarted(command, line)
            if not _KNOWN.fullmatch(line):
                raise self._garbage(line, command)
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

    def settle(self, most_s: float | None = None) -> None:
        """Waits until the line is quiet and drops what came. Ends a half command that the device may hold.
        A program that never stops talking does not settle: ``most_s`` is how long it is waited for, at most
        SETTLE_S."""
        with suppress(NoAnswer):
            self._link.write(b"%")
            deadline = time.monotonic() + (SETTLE_S if most_s is None else min(most_s, SETTLE_S))
            while time.monotonic() < deadline:
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

    def _endless(self, command: str, line: str, lines: int, spent_s: float) -> Garbage:
        return Garbage(
            f'{self._link.name}: the answer to "{_short(command)}" does not end: {lines:,} lines in '
            f"{spent_s:.1f} s, the last: {_short(line)!r}",
            "look at what it says with `tinyserve monitor`; flash the board with `tinyserve flash`",
        )

    def _garbage(self, line: str, command: str) -> Garbage:
        found = recognise(line, "" if command == START_UP else command)
        return Garbage(f"{self._link.name}: {found.what}", found.hint)

    def _restarted(self, command: str, line: str) -> Restarted:
        said = "" if is_greeting(line) else f" ({_short(line)!r})"
        return Restarted(
            f'{self._link.name}: the device restarted in the middle of "{_short(command)}"{said}',
            "a supply or cable that is too weak, a watchdog, or a crash: look with `tinyserve monitor`",
        )

    def _silence(self, error: NoAnswer, command: str) -> NoAnswer:
        """What bytes without a line's end are: a wrong rate seldom makes a line feed, and an echo of a
        command has none."""
        text = self._link.partial_line.decode("ascii", errors="backslashreplace").lstrip("%")
        if not (is_noise(text) or is_echo(text, command)):
            return error
        found = recognise(text, command)
        return NoAnswer(f"{self._link.name}: {found.what}", found.hint)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
