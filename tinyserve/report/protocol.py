# SPDX-License-Identifier: Apache-2.0
"""What the lines of docs/protocol.md mean, in words."""

from __future__ import annotations

import re
from collections.abc import Callable

_Meaning = str | Callable[[re.Match[str]], str]


def explain(line: str) -> str:
    """The meaning of a line that a device sent; '' for one that is clear by itself or not the protocol's."""
    for pattern, meaning in _MEANINGS:
        match = re.fullmatch(pattern, line)
        if match:
            return meaning if isinstance(meaning, str) else meaning(match)
    return ""


def _lap(match: re.Match[str]) -> str:
    return f"its clock: {int(match[1]) / 1e6:.6f} s"


def _results(match: re.Match[str]) -> str:
    values = [float(value) for value in match[1].split(",") if value]
    if len(values) < 2:
        return "the output"
    best = max(range(len(values)), key=values.__getitem__)
    return f"class {best} of {len(values)} is the largest: {values[best]:.3f}"


def _loaded(match: re.Match[str]) -> str:
    return f"{100 * int(match[1]) // max(1, int(match[2]))} % of the input is loaded"


def _event(match: re.Match[str]) -> str:
    """Of a decision the class; a request to a gateway carries the outputs that are its payload."""
    when = f"in inference {match[3]}, at sample {match[4]}"
    if int(match[6]):
        return f"{match[1]} is asked for {when}: what it is to be given follows"
    return f"{match[1]}: class {match[2]} {when}"


_MEANINGS: tuple[tuple[str, _Meaning], ...] = (
    (r"m-ready", "takes commands"),
    (r"m-init-done", "the model is initialised"),
    (r"m-timestamp-mode-performance", "time stamps are text (in energy mode they are edges of a pin)"),
    (r"m-timestamp-mode-energy", "time stamps are edges of a pin"),
    (r"m-lap-us-(\d+)", _lap),
    (r"m-\[(\d+) of (\d+) bytes\]", _loaded),
    (r"m-load-done", "the input is complete"),
    (r"m-results-\[([-+0-9.,e]*)\]", _results),
    (r"ts-ticks-\[(\d+)\]", "ticks of one inference"),
    (r"ts-event-\[(\w+),(\d+),(\d+),(\d+),(\d+),(\d+)\]", _event),
    (r"ts-payload-\[[0-9a-f]*\]", "of the event's payload"),
    (r"ts-layer-\[\d+,.*,\d+\]", "ticks of one layer"),
    (r"e-\[fault pc=.*\]", "the firmware crashed: this is a bug in it or its kernels"),
    (r"e-\[.*\]", "the device refused the command"),
)
