# SPDX-License-Identifier: Apache-2.0
"""What a device answers, as data: parses the lines of docs/protocol.md. Raises DeviceError for malformed
ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tinyserve.compiler.events import MOST_EVENTS, Event
from tinyserve.errors import DeviceError

_MOST = 2**63 - 1
_DIGITS = 19
_REAL_CHARACTERS = 48
_ID_CHARACTERS = 64
_SHOWN = 120
_SHOWN_LINES = 30
_MOST_TENSORS = 1000
_LINE_BYTES = (16, 1 << 16)  # fewer hold no command with data, more are no line
_PAIR = re.compile(r"ts-(?:info|memory)-\[(\w+)=(.*)\]")
_EVENT = re.compile(r"ts-event-\[([a-z][a-z0-9_]{0,31}),(\d+),(\d+),(\d+),(\d+),(\d+)\]")
_LAYER = re.compile(r"ts-layer-\[(\d+),(.*),(\d+)\]")
PROTOCOL = 1
"""The version of docs/protocol.md that is spoken here."""
DEFAULT_LINE_BYTES = 80
"""Longest command for firmware that does not say: 32 bytes of data as hex fit, as MLPerf Tiny's runner
sends."""


@dataclass(frozen=True)
class DeviceInfo:
    """What runs on the device (``ts-info%``). Sizes are bytes; ``tick_hz`` is 0 where ticks are no time.

    ``clock_hz`` is the processor's clock by its own software, ``counted_tick_hz`` what the firmware counted
    of its ticks in a second of another clock when it started; 0 where it does not say. ``says_started``: long
    commands are answered at once, so that one that got lost is noticed. ``events``: how many an inference may
    give. ``input_rows``: of an input that is fed by rows, and gone after an inference; 0 where it is kept.
    """

    protocol: int
    version: str
    model_sha256: str
    engine: str
    board: str
    core: str
    input_bytes: tuple[int, ...]
    output_bytes: tuple[int, ...]
    tick_unit: str
    tick_hz: int
    arena_bytes: int
    layers: int
    line_bytes: int
    clock_hz: int = 0
    counted_tick_hz: int = 0
    says_started: bool = False
    firmware_id: str = ""
    events: int = 0
    input_rows: int = 0


@dataclass(frozen=True)
class MemoryUse:
    """RAM on the device in bytes. The stack is None where the device can't tell."""

    arena: int
    stack_used: int | None
    stack_size: int | None


@dataclass(frozen=True)
class LayerTicks:
    """Ticks of one layer in one inference."""

    index: int
    name: str
    ticks: int


@dataclass(frozen=True)
class MlperfRun:
    """What MLPerf Tiny's ``infer`` answers: microseconds of all runs, and the values of output 0."""

    elapsed_us: int
    results: list[float]


def parse_info(lines: list[str]) -> DeviceInfo:
    """From the lines of ``ts-info%``. Raises DeviceError for another version of the protocol, too."""
    pairs = _pairs(lines)
    try:
        if (protocol := whole(pairs["protocol"])) != PROTOCOL:
            raise DeviceError(
                f"the device speaks version {protocol} of the protocol, this tinyserve speaks {PROTOCOL}",
                "flash it again: `tinyserve flash`",
            )
        inputs, outputs = (
            whole(pairs["inputs"], most=_MOST_TENSORS),
            whole(pairs["outputs"], most=_MOST_TENSORS),
        )
        return DeviceInfo(
            protocol=protocol,
            version=pairs["version"],
            model_sha256=pairs["model_sha256"].lower(),
            engine=pairs["engine"],
            board=pairs["board"],
            core=pairs["core"],
            input_bytes=tuple(whole(pairs[f"input_{i}_bytes"]) for i in range(inputs)),
            output_bytes=tuple(whole(pairs[f"output_{i}_bytes"]) for i in range(outputs)),
            tick_unit=pairs["tick_unit"],
            tick_hz=whole(pairs["tick_hz"]),
            arena_bytes=whole(pairs["arena_bytes"]),
            layers=whole(pairs["layers"]),
            line_bytes=whole(pairs.get("line_bytes", str(DEFAULT_LINE_BYTES)), *_LINE_BYTES),
            clock_hz=whole(pairs.get("clock_hz", "0")),
            counted_tick_hz=whole(pairs.get("counted_tick_hz", "0")),
            says_started=pairs.get("says_started") == "1",
            firmware_id=pairs.get("firmware_id", "")[:_ID_CHARACTERS],
            events=whole(pairs.get("events", "0"), most=MOST_EVENTS),
            input_rows=whole(pairs.get("input_rows", "0")),
        )
    except KeyError as error:
        raise DeviceError(
            f"the device's ts-info lacks {error.args[0]}; it said {_shown(lines)!r}",
            "flash this version's firmware",
        ) from error
    except ValueError as error:
        raise DeviceError(
            f"the device's ts-info holds no number: {error}; it said {_shown(lines)!r}"
        ) from error


def parse_memory(lines: list[str]) -> MemoryUse:
    """From the lines of ``ts-memory%``."""
    pairs = _pairs(lines)
    try:
        stack = {name: whole(pairs[name]) for name in ("stack_used", "stack_size") if name in pairs}
        return MemoryUse(whole(pairs["arena"]), stack.get("stack_used"), stack.get("stack_size"))
    except (KeyError, ValueError) as error:
        raise malformed("ts-memory", lines) from error


def parse_profile(lines: list[str]) -> list[LayerTicks]:
    """From the lines of ``ts-profile%``. A layer's name may hold commas."""
    matches = [match for line in lines if (match := _LAYER.fullmatch(line))]
    try:
        layers = [LayerTicks(whole(m[1]), m[2], whole(m[3])) for m in matches]
    except ValueError as error:
        raise malformed("ts-profile", lines) from error
    if [layer.index for layer in layers] != list(range(len(layers))):
        raise malformed("ts-profile", lines)
    return layers


def parse_steps(lines: list[str]) -> list[int]:
    """From the lines of ``ts-steps%``."""
    try:
        return [whole(text) for text in bracketed(lines, "ts-part-")]
    except ValueError as error:
        raise malformed("ts-steps", lines) from error


def parse_events(lines: list[str], output_bytes: tuple[int, ...]) -> list[Event]:
    """From the lines of ``ts-infer%``: events, and what each brings of the outputs that it names.

    ``output_bytes``: sizes of the model's outputs.
    """
    events: list[Event] = []
    left = iter(lines)
    for line in left:
        match = _EVENT.fullmatch(line)
        if match is None:
            if line.startswith(("ts-event-", "ts-payload-")):
                raise malformed("ts-infer", [line])
            continue
        try:
            number, inference, sample, first, count = (whole(text) for text in match.groups()[1:])
            if number >= 1 << 31 or first + count > len(output_bytes):
                raise ValueError(line)
            payload = tuple(_payload(left, output_bytes[first + k]) for k in range(count))
        except ValueError as error:
            raise malformed("ts-infer", [line]) from error
        events.append(Event(match[1], number, inference, sample, payload))
    return events


def _payload(lines: Iterator[str], size: int) -> bytes:
    """One output's bytes, in as many lines as it takes. Raises ValueError."""
    data = b""
    while len(data) < size:
        (piece,) = bracketed([next(lines, "")], "ts-payload-") or [""]
        if not piece:
            raise ValueError("the payload ends early")
        data += bytes.fromhex(piece)
    if len(data) > size:
        raise ValueError("the payload is too long")
    return data


def parse_bytes(lines: list[str], expected: int) -> bytes:
    """The bytes of ``ts-output%``: hex in pieces, then ts-output-done."""
    try:
        data = b"".join(bytes.fromhex(piece) for piece in bracketed(lines, "ts-output-"))
    except ValueError as error:
        raise malformed("ts-output", lines) from error
    if "ts-output-done" not in lines or len(data) != expected:
        raise DeviceError(f"the device sent {len(data)} of {expected} bytes of an output", "run it again")
    return data


def parse_results(lines: list[str]) -> list[float]:
    """The values of ``m-results-[...]``."""
    try:
        return [_real(value) for value in one(bracketed(lines, "m-results-"), lines).split(",") if value]
    except ValueError as error:
        raise malformed("results", lines) from error


def parse_mlperf_run(lines: list[str]) -> MlperfRun:
    """From the lines of ``infer N W%``: two time stamps and the results."""
    stamps = [line.removeprefix("m-lap-us-") for line in lines if line.startswith("m-lap-us-")]
    try:
        start, end = (whole(stamp) for stamp in stamps)
    except ValueError as error:
        raise malformed("infer", lines) from error
    if end < start:
        raise malformed("infer", lines)
    return MlperfRun(end - start, parse_results(lines))


def whole(text: str, least: int = 0, most: int = _MOST) -> int:
    """A number without a sign. Raises ValueError for anything else, and for one beyond the limits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and least <= int(text) <= most):
        raise ValueError(f"{text[:_DIGITS]}: not a number from {least} to {most}")
    return int(text)


def _real(text: str) -> float:
    if len(text) > _REAL_CHARACTERS:
        raise ValueError(f"{text[:_DIGITS]}…: no number")
    return float(text)


def bracketed(lines: Iterable[str], prefix: str) -> list[str]:
    """What stands in the brackets of the lines ``prefix[...]``."""
    return [line[len(prefix) + 1 : -1] for line in lines if line.startswith(prefix + "[") and line[-1] == "]"]


def one(values: list[str], lines: list[str]) -> str:
    """The only value. Raises DeviceError where there are more or none."""
    if len(values) != 1:
        raise malformed("the command", lines)
    return values[0]


def malformed(command: str, lines: list[str]) -> DeviceError:
    """The error for an answer that does not have its form."""
    return DeviceError(
        f"the device's answer to {command} is malformed: {_shown(lines[-3:])!r}",
        "check the cable and the firmware",
    )


def _pairs(lines: list[str]) -> dict[str, str]:
    return {match[1]: match[2] for line in lines if (match := _PAIR.fullmatch(line))}


def _shown(lines: list[str]) -> list[str]:
    """As much of an answer as an error has place for."""
    return [line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…" for line in lines[:_SHOWN_LINES]]
