# SPDX-License-Identifier: Apache-2.0
"""The interface board of MLPerf Tiny's streaming test, for a twin: MLCommons' runner has it play recordings
into the device, and asks it afterwards when the device's pins had edges.

It speaks what the board's own firmware (STM32H573I-DK) does. A twin has no time of its own: its clock
is that of the sound, 32 ms a step, and the time of computing is the twin's estimate.
"""

from __future__ import annotations

import os
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from tinyserve import platforms
from tinyserve.devices.client.exchange import MOST_LINES, READY
from tinyserve.devices.device import Device
from tinyserve.errors import DeviceError, FileSystemError
from tinyserve.escapes import visible

NAME = "tinyML Enhanced Interface Board"
_SAMPLE_HZ = 16_000
_STEP_MS = 32
_TICKS_PER_MS = 100  # of the duty cycle's time stamps: 10 us
_SAMPLES_PER_LINE = 240
_ANSWER_TIMEOUT_S = 60.0
_PULSE_S = 2.0
_MOST_COMMAND_BYTES = 4096
_PER_LINE = 8
_MOST_SECONDS = 3600
_UNREAD_S = 10.0


class InterfaceBoard:
    """A second serial port beside the device's. ``recordings`` is the directory that stands for its SD card.

    A context manager: ``port`` is what programs open; ``poll`` is called in between by who serves the device.
    """

    def __init__(self, device: Device, recordings: Path) -> None:
        self._link = device.link
        self._recordings = recordings
        self._received = b""
        self._steps = self._busy_us = 0
        self._detections: list[int] = []
        self._baud = 115_200
        self._patience_s = _UNREAD_S

    def __enter__(self) -> InterfaceBoard:
        self._terminal = platforms.here().open_terminal()
        self.port = self._terminal.name
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._terminal.ours)
        os.close(self._terminal.theirs)

    def poll(self) -> None:
        """Answers the commands that have come. Raises what the device's link raises where it is gone."""
        try:
            self._received += os.read(self._terminal.ours, _MOST_COMMAND_BYTES)
        except BlockingIOError:
            return
        while b"%" in self._received:
            command, _, self._received = self._received.partition(b"%")
            for line in self.answer(command.decode("ascii", "replace").strip()):
                self._say(line)
        self._received = self._received[-_MOST_COMMAND_BYTES:]

    def answer(self, command: str) -> Iterator[str]:
        """The lines that a command is answered with, the last of which is m-ready."""
        word, _, rest = command.partition(" ")
        if word == "dut":
            yield from self._passed_on(rest)
            return
        answers = {
            "name": self._name, "ls": self._list, "play": self._play, "checkbaud": self._check_baud,
            "setbaud": self._set_baud, "record_detections": self._record,
            "print_detections": self._print_detections, "print_dutycycle": self._print_duty_cycle,
        }  # fmt: skip
        yield from answers[word](rest.strip()) if word in answers else [f"e-[Unknown command: {word}]"]
        yield "m-ready"

    def _name(self, _: str) -> Iterator[str]:
        yield NAME

    def _list(self, _: str) -> Iterator[str]:
        yield from sorted(visible(path.name) for path in self._recordings.glob("*") if path.is_file())

    def _check_baud(self, _: str) -> Iterator[str]:
        yield f"baud is: {self._baud}"

    def _set_baud(self, rate: str) -> Iterator[str]:
        """Kept and told again: a pseudo-terminal has no rate."""
        if rate.isdecimal() and len(rate) < 8:
            self._baud = int(rate)
            yield f"set baud to: {rate}"
        else:
            yield "e-[a baud rate wanted]"

    def _record(self, _: str) -> Iterator[str]:
        """The edges of what is played from now on; the device's own at start% has been seen."""
        self._detections, self._steps, self._busy_us = [0], 0, 0
        yield "Now recording detections"

    def _play(self, name: str) -> Iterator[str]:
        try:
            sound = self._sound(name)
        except FileSystemError as error:
            yield f"e-[{error.message}]"
            return
        yield f"Playing {name}"
        said = time.monotonic()
        for at in range(0, sound.size, _SAMPLES_PER_LINE):
            samples = sound[at : at + _SAMPLES_PER_LINE].astype("<i2").tobytes()
            for line in self._ask(f"ts-audio {samples.hex()}"):
                if line.startswith("ts-step-["):
                    self._steps += 1
                    if line.endswith(",detected]"):
                        self._detections.append(self._steps * _STEP_MS)
            if time.monotonic() - said > _PULSE_S:  # the runner takes silence for an end
                said = time.monotonic()
                yield f"m-[{at / _SAMPLE_HZ:.1f} s played]"
        for line in self._ask("ts-stream"):
            if line.startswith("ts-stream-[busy_us="):
                self._busy_us = int(line.removesuffix("]").rpartition("=")[2])

    def _sound(self, name: str) -> npt.NDArray[np.int16]:
        """The first channel of a recording of 16 bits at 16 kHz. Raises FileSystemError for anything else."""
        path = self._recordings / name
        if path.parent != self._recordings or not path.is_file():
            raise FileSystemError(
                f"no recording {name} in {self._recordings}", "name the directory with --recordings"
            )
        try:
            with wave.open(str(path), "rb") as file:
                form = (file.getsampwidth(), file.getframerate())
                if file.getnframes() > _MOST_SECONDS * _SAMPLE_HZ:
                    raise FileSystemError(
                        f"{path}: over {_MOST_SECONDS:,} s of sound", "cut it into shorter recordings"
                    )
                sound = file.readframes(file.getnframes())
                channels = file.getnchannels()
        except (OSError, EOFError, wave.Error) as error:
            raise FileSystemError(f"{path}: {error}", "a WAV file of 16 bits at 16 kHz is wanted") from error
        if form != (2, _SAMPLE_HZ):
            raise FileSystemError(
                f"{path}: {8 * form[0]} bits at {form[1]} Hz", "16 bits at 16 kHz are wanted"
            )
        whole = len(sound) // (2 * channels) * channels
        return np.frombuffer(sound, "<i2", whole).astype(np.int16)[::channels]

    def _print_detections(self, _: str) -> Iterator[str]:
        yield "Detection Timestamps (ms)"
        yield from (f"{detection}," for detection in self._detections)

    def _print_duty_cycle(self, _: str) -> Iterator[str]:
        """When each step's computing began and ended, in units of 10 us."""
        begins = [step * _STEP_MS * _TICKS_PER_MS for step in range(1, self._steps + 1)]
        busy = round(self._busy_us / 10 / self._steps) if self._steps else 0
        yield "Duty cycle start times (s)"
        yield from _rows(begins)
        yield "Duty cycle stop times (s)"
        yield from _rows([begin + busy for begin in begins])

    def _passed_on(self, command: str) -> Iterator[str]:
        yield f"m-dut-passthrough({command})"
        yield READY
        yield from (f"[dut]: {line}" for line in (*self._ask(command), READY))

    def _ask(self, command: str) -> list[str]:
        """The device's answer, without its m-ready; what it refuses is passed on as it is. Raises DeviceError
        for an answer without end."""
        self._link.write(f"{command}%".encode())
        lines: list[str] = []
        while len(lines) < MOST_LINES:
            line = self._link.read_line(_ANSWER_TIMEOUT_S)
            if line == READY:
                return lines
            lines.append(line)
        raise DeviceError(f"{self._link.name}: no end of the answer to {command[:40]}", "reset the device")

    def _say(self, line: str) -> None:
        """A line that nobody reads is lost, as on a wire."""
        waiting = f"{line}\r\n".encode(errors="replace")
        deadline = time.monotonic() + self._patience_s
        while waiting:
            try:
                waiting = waiting[os.write(self._terminal.ours, waiting) :]
                self._patience_s = _UNREAD_S
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self._patience_s = 0.0
                    return
                time.sleep(0.001)


def _rows(numbers: list[int]) -> Iterator[str]:
    for at in range(0, len(numbers), _PER_LINE):
        yield "".join(f"{number}, " for number in numbers[at : at + _PER_LINE])
