# SPDX-License-Identifier: Apache-2.0
"""What a line is that the protocol does not have: noise at a wrong rate, an echo, log output, a restart."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GREETING = re.compile(r"m-timestamp-mode-\w+|m-init-done")
_BOOT = re.compile(
    r"(?:ets \w+ +\d|rst:0x|ESP-ROM:|Guru Meditation|Rebooting\.\.\.|\+\+ MbedOS Fault|\*\*\* Booting |"
    r"CPU halted|Brownout detector)"
)
_LOG = re.compile(
    r"(?:\x1b\[[\d;]*m)?"
    r"(?:[EWIDV] \(\d+\) |\[ *\d+\]\[[EWIDV]\]|\[\d\d:\d\d:\d\d[.,]\d+|<(?:err|wrn|inf|dbg)>|"
    r"\[(?:ERROR|WARN|WARNING|INFO|DEBUG|TRACE)\]|(?:ERROR|WARN|WARNING|INFO|DEBUG)[: ])",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\x[0-9a-f]{2}|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOISE = 0.2
"""The part of bytes that are no text from which on it is no longer a flipped bit here and there."""


@dataclass(frozen=True)
class Stranger:
    """What a line is, and what to do about it."""

    what: str
    hint: str


def is_greeting(line: str) -> bool:
    """A line that a device says when it has started, and never else."""
    return bool(_GREETING.fullmatch(line))


def is_restart(line: str) -> bool:
    """A line of a boot loader, of a fault handler, or of our own start-up."""
    return is_greeting(line) or bool(_BOOT.match(line))


def recognise(line: str, command: str) -> Stranger:
    """``line`` came where an answer to ``command`` was due; bytes that are no text are ``\\xNN`` in it."""
    if is_echo(line, command):
        return Stranger(
            "the line echoes what is sent",
            "turn the echo off (of a modem or an adapter); connect TX to RX crosswise, not to itself",
        )
    if is_noise(line):
        return Stranger(
            "what comes is no text: the baud rate is another one",
            "the firmware speaks 115200 baud, 9600 in MLPerf Tiny's energy mode; look with"
            " `tinyserve monitor --baud RATE`, and check the board's clock",
        )
    if _LOG.match(line):
        return Stranger(
            f"log output came between answers: {_short(line)!r}",
            "turn logging off on this line (CORE_DEBUG_LEVEL=0, CONFIG_LOG=n), or log to another one",
        )
    return Stranger(
        f"the device sent what is not the protocol: {_short(line)!r}",
        "check that the port is the board's, and flash the board with `tinyserve flash`",
    )


def is_echo(text: str, command: str) -> bool:
    """Whether the command comes back: with the character that ends it, which an adapter may have made a line
    end of. Answers may begin with its name."""
    return bool(command) and (text == command or text.startswith(f"{command}%"))


def is_noise(text: str) -> bool:
    """Whether so much of it is no text that a wrong rate explains it."""
    strange = _ESCAPED.findall(text)
    count = len(text) - sum(len(one) - 1 for one in strange)
    return count > 2 and len(strange) >= _NOISE * count


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
