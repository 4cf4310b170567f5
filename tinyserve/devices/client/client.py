# SPDX-License-Identifier: Apache-2.0
"""The client of a device under test: identify it, load inputs, run inferences, read what they gave."""

from __future__ import annotations

import time
from contextlib import suppress

from tinyserve.compiler.events import Event
from tinyserve.devices.client import answers
from tinyserve.devices.client.answers import DEFAULT_LINE_BYTES, DeviceInfo, LayerTicks, MemoryUse, MlperfRun
from tinyserve.devices.client.exchange import (
    MOST_LINES,
    RETRIES,
    START_UP,
    Exchange,
    Garbage,
    Patience,
    Refused,
    Restarted,
)
from tinyserve.devices.link import Link, NoAnswer
from tinyserve.errors import DeviceError, UsageError
from tinyserve.words import counted

ANSWER_TIMEOUT_S = 10.0
WIRE_ANSWER_S = 3.0  # of what takes no inference: a command that got lost is noticed soon
INFERENCE_TIMEOUT_S = 300.0
GREETING_TIMEOUT_S = 20.0  # of an emulator, which starts with us
WIRE_TIMEOUT_S = 10.0  # of a board, from the first wait for its greeting to giving up
WIRE_GREETING_S = 2.5  # a board that resets when its port is opened greets within this; others never do
COUNTED_UNITS = ("cycles", "instructions")  # an inference takes some; of microseconds it may take none
EMULATED = "emulated"  # part of its name
BOARD_CHARACTERS = 40
OTHER_LINES = 20
"""What an answer may hold beside the lines that it is asked for: notes, refusals."""
_PAYLOAD_LINE_BYTES = 256
LOAD_COMMAND = "db "
LINE_REDUCTION = 6  # 1,100 bytes, then 183 (less than the common queue of 256), then 80

WIRE_LEAST_S = 0.2  # a question that has less time than this is not asked


class Client:
    """Speaks docs/protocol.md over a link. Every method raises DeviceError (with what was received last)
    when the device hangs, crashes, vanishes, refuses, or sends what is not the protocol."""

    def __init__(self, link: Link, inference_timeout_s: float = INFERENCE_TIMEOUT_S) -> None:
        self._link = link
        self.inference_timeout_s = inference_timeout_s  # of a single one; may be changed at any time
        self._exchange = Exchange(link)
        self._info: DeviceInfo | None = None
        self._is_ready = False
        self.events: list[Event] = []
        """What happened in the inferences of the last ``infer``, in order; see ``compiler.events``."""
        self._given: dict[int, bytes] = {}  # what was loaded last, for inputs that an inference uses up
        self._is_given = False  # and whether no inference has used it up
        self._line_bytes = 0  # what the line was found to take; 0: not known yet

    def connect(self) -> None:
        """Waits until the device takes commands. Called by the other methods where needed."""
        if self._is_ready:
            return
        if self._link.is_wire:
            self._find_on_wire()
        else:
            self._exchange.until_ready(START_UP, Patience(GREETING_TIMEOUT_S))
        self._is_ready = True

    def identify(self) -> DeviceInfo:
        """What runs on the device."""
        self.connect()
        if self._info is None:
            try:
                self._info = answers.parse_info(self._ask_again("ts-info"))
            except Refused as error:
                raise DeviceError(
                    f"{self._link.name}: the device runs an MLPerf Tiny firmware, but not tinyserve's",
                    "flash it with `tinyserve flash`",
                ) from error
        return self._info

    def expect_board(self, board: str) -> None:
        """Raises DeviceError when the device runs firmware that was built for another board."""
        found = self.identify().board
        if found != board:
            raise DeviceError(
                f"{self._link.name}: no {board} answers: its firmware was built for {_short(found)}",
                f"add --board {_short(found)} where that is the one, or choose the port of the right board"
                f" with --port; `tinyserve flash --board {board}` where it is, with other firmware",
            )

    def is_emulated(self) -> bool:
        """Whether the device says of itself that it is a twin, whatever line it is on."""
        return EMULATED in self.name()

    def expect_model(self, sha256: str) -> None:
        """Raises DeviceError when the device runs another model's firmware."""
        info = self.identify()
        if info.model_sha256 != sha256.lower():
            raise DeviceError(
                f"{self._link.name}: the device runs the firmware of another model: its hash begins with"
                f" {info.model_sha256[:12]}, this one's with {sha256[:12]}",
                "flash it with this model: `tinyserve flash`",
            )

    def expect_firmware(self, firmware_id: str) -> None:
        """Raises DeviceError when the device runs firmware of other kernels, options or another version."""
        info = self.identify()
        if info.firmware_id != firmware_id:
            raise DeviceError(
                f"{self._link.name}: the device runs this model in other firmware: its id is"
                f" {info.firmware_id or 'not known'}, that of these options and this version {firmware_id}",
                "flash it with the same options (--optimize, --variant, --engine): `tinyserve flash`",
            )

    def load(self, data: bytes, index: int = 0) -> None:
        """Sends an input's bytes. Raises UsageError when the input has another size."""
        info = self.identify()
        if not 0 <= index < len(info.input_bytes):
            raise UsageError(
                f"the model has {counted(len(info.input_bytes), 'input')}, there is no input {index}"
            )
        if len(data) != info.input_bytes[index]:
            raise UsageError(f"input {index} has {info.input_bytes[index]} bytes, {len(data)} were given")
        self._load(data, info.line_bytes, index)
        self._given[index], self._is_given = data, True

    def infer(self, runs: int, warmup: int = 0) -> list[int]:
        """Ticks of each of ``runs`` inferences after ``warmup`` that are not counted. What happened in them
        is in ``events`` after it. An input that is fed by rows is sent again for each."""
        self.connect()
        if self._info is None or not self._info.input_rows:
            ticks, self.events = self._infer(runs, warmup)
            return ticks
        ticks, events = [], []
        for run in range(warmup + runs):
            self._use_up_input()
            again = self._infer(1, 0)
            if run >= warmup:
                ticks += again[0]
                events += again[1]
        self.events = events
        return ticks

    def _use_up_input(self) -> None:
        """Before an inference: sends an input that the last one used up again."""
        if self._info is not None and self._info.input_rows and not self._is_given:
            for index, data in self._given.items():
                self.load(data, index)
        self._is_given = False

    def _infer(self, runs: int, warmup: int) -> tuple[list[int], list[Event]]:
        ticks: list[int] = []
        least = int(self._info is not None and self._info.tick_unit in COUNTED_UNITS)

        def on_line(line: str) -> None:
            for text in answers.bracketed([line], "ts-ticks-"):
                try:
                    ticks.append(answers.whole(text, least))
                except ValueError as error:
                    raise answers.malformed("ts-infer", [line]) from error

        timeout_s = self.inference_timeout_s * (1 + warmup)
        most_s = self.inference_timeout_s * (runs + warmup + 1)
        most_lines = runs * (1 + self._most_event_lines) + OTHER_LINES
        patience = Patience(timeout_s, self._started_s, most_lines, most_s)
        lines = self._exchange.ask(f"ts-infer {runs} {warmup}", patience, on_line)
        if len(ticks) != runs:
            raise answers.malformed("ts-infer", lines)
        sizes = self._info.output_bytes if self._info is not None else ()
        return ticks, answers.parse_events(lines, sizes)

    @property
    def _most_event_lines(self) -> int:
        """That an inference may add: each event, and with each all outputs."""
        if self._info is None or not self._info.events:
            return 0
        payload = sum(1 + size // _PAYLOAD_LINE_BYTES for size in self._info.output_bytes)
        return self._info.events * (1 + payload)

    def outputs(self) -> list[bytes]:
        """The bytes of every output of the last inference."""
        sizes = self.identify().output_bytes
        return [
            answers.parse_bytes(self._ask_again(f"ts-output {index}", size // 16 + OTHER_LINES), size)
            for index, size in enumerate(sizes)
        ]

    def memory(self) -> MemoryUse:
        """Arena and stack high-water since reset."""
        self.connect()
        return answers.parse_memory(self._ask_again("ts-memory"))

    def profile(self) -> list[LayerTicks]:
        """Ticks of each layer in one inference."""
        self.connect()
        self._use_up_input()
        most_lines = self._info.layers + OTHER_LINES if self._info is not None else MOST_LINES
        patience = Patience(self.inference_timeout_s, self._started_s, most_lines)
        lines = self._exchange.ask("ts-profile", patience)
        return answers.parse_profile(lines)

    def steps(self, most: int) -> list[int]:
        """Ticks of each step of one inference, of which there are ``most`` at most; for firmware whose layers
        are computed by rows."""
        self.connect()
        self._use_up_input()
        patience = Patience(self.inference_timeout_s, self._started_s, most + OTHER_LINES)
        return answers.parse_steps(self._exchange.ask("ts-steps", patience))

    def reset(self) -> None:
        """The model's state to its initial values."""
        self.connect()
        self._ask_again("ts-reset")

    # MLPerf Tiny's commands, which any such device knows.

    def name(self) -> str:
        """The device's name."""
        self.connect()
        lines = self._ask_again("name")
        return answers.one(answers.bracketed(lines, "m-name-dut-"), lines)

    def mlperf_profile(self) -> tuple[str, str]:
        """The firmware's profile and the model's id."""
        self.connect()
        lines = self._ask_again("profile")
        profile, model = (answers.bracketed(lines, prefix) for prefix in ("m-profile-", "m-model-"))
        return answers.one(profile, lines), answers.one(model, lines)

    def mlperf_load(self, data: bytes) -> None:
        """Sends the input as MLPerf Tiny's runner does, to a device that may not know our commands."""
        self.connect()
        self._load(data, DEFAULT_LINE_BYTES)

    def mlperf_infer(self, runs: int, warmup: int = 0) -> MlperfRun:
        """Runs ``infer N W``: time of all runs by the device's own clock, and the results."""
        self.connect()
        timeout_s = self.inference_timeout_s * (runs + warmup)
        lines = self._exchange.ask(f"infer {runs} {warmup}", Patience(timeout_s, most_s=2 * timeout_s))
        return answers.parse_mlperf_run(lines)

    def results(self) -> list[float]:
        """The values of output 0 of the last inference, dequantized, three decimals."""
        self.connect()
        return answers.parse_results(self._ask_again("results"))

    @property
    def _answer_s(self) -> float:
        return WIRE_ANSWER_S if self._link.is_wire else ANSWER_TIMEOUT_S

    @property
    def _started_s(self) -> float | None:
        """How long a long command may take to say that it arrived; None for firmware that does not."""
        return ANSWER_TIMEOUT_S if self._info is not None and self._info.says_started else None

    def _ask_again(self, command: str, most_lines: int = MOST_LINES) -> list[str]:
        return self._exchange.ask_again(command, Patience(self._answer_s, most_lines=most_lines))

    def _load(self, data: bytes, line_bytes: int, index: int | None = None) -> None:
        """``db load`` starts again, so a load that lost or garbled lines is done again from its start.

        With ``index`` the bytes are the model's own: `ts-select` holds for one load.
        """
        longest = min(line_bytes, self._line_bytes or line_bytes)
        for attempt in range(RETRIES + 1):
            begin = time.monotonic()
            try:
                if index is not None:
                    self._ask_again(f"ts-select {index}")
                self._load_once(data, longest)
                self._line_bytes = longest
                return
            except Restarted:
                raise
            except (Garbage, NoAnswer, Refused) as error:
                self._exchange.lost(begin, error)
                if not self._link.is_wire or attempt == RETRIES:
                    raise
                # A queue that is shorter than the line drops its end, whatever its firmware says.
                longest = max(min(longest, DEFAULT_LINE_BYTES), longest // LINE_REDUCTION)

    def _load_once(self, data: bytes, line_bytes: int) -> None:
        self._exchange.ask(f"db load {len(data)}", Patience(self._answer_s))
        piece = (line_bytes - len(LOAD_COMMAND)) // 2
        for start in range(0, len(data), piece):
            end = min(start + piece, len(data))
            lines = self._exchange.ask(LOAD_COMMAND + data[start:end].hex(), Patience(self._answer_s))
            expected = "m-load-done" if end == len(data) else f"m-[{end} of {len(data)} bytes]"
            if expected not in lines:
                raise Garbage(f"{self._link.name}: loading stands at {lines!r}, expected {expected}")

    def _find_on_wire(self) -> None:
        """A board may be starting, or running already with half a command in its buffer, or not be ours."""
        deadline = time.monotonic() + WIRE_TIMEOUT_S
        asked = 0
        with suppress(NoAnswer, Garbage):
            self._exchange.until_ready(START_UP, _greeting(deadline))
            return
        while True:
            self._exchange.settle(_left(deadline))
            try:
                asked += 1
                lines = self._exchange.ask("name", _greeting(deadline))
                if answers.bracketed(lines, "m-name-dut-"):
                    return
                raise Garbage(
                    f"{self._link.name}: it answers, and has no name",
                    "its firmware is another one: flash the board with `tinyserve flash`",
                )
            except Restarted:  # opening the port did it, late: the rest of its greeting follows
                with suppress(NoAnswer, Garbage):
                    self._exchange.until_ready(START_UP, _greeting(deadline))
                    return
            except (NoAnswer, Garbage, Refused) as error:  # refused: what half a command was answered, late
                if _left(deadline) > WIRE_LEAST_S:
                    continue
                raise self._not_found(error, asked) from error

    def _not_found(self, error: DeviceError, asked: int) -> DeviceError:
        """Nobody of ours on the line: what came last, and what was tried."""
        message = error.message
        if isinstance(error, NoAnswer) and not error.hint:
            message = self._link.describe(f"no answer within {WIRE_TIMEOUT_S:g} s")
        times = "once" if asked == 1 else f"{asked} times"
        return DeviceError(
            f"{message} (waited for a greeting, then asked for its name {times})",
            error.hint
            or "press its reset button; flash it with `tinyserve flash` where it holds other firmware; "
            "`tinyserve monitor` shows all that it says",
        )


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _greeting(deadline: float) -> Patience:
    """For what a board says of itself, of the time that is left."""
    line_s = max(WIRE_LEAST_S, min(WIRE_GREETING_S, _left(deadline)))
    return Patience(line_s, most_s=2 * line_s)


def _short(name: str) -> str:
    """A board's name as a device gave it, in as much place as one has in a message."""
    return name if len(name) <= BOARD_CHARACTERS else f"{name[:BOARD_CHARACTERS]}…"
