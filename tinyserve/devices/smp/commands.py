# SPDX-License-Identifier: Apache-2.0
"""The commands that firmware with slots has, as typed calls."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from tinyserve.compiler.events import Event
from tinyserve.devices.link import NoAnswer
from tinyserve.devices.smp.client import ACCESS_DENIED, IMAGE, MODEL, OS, Command, SmpClient, SmpError
from tinyserve.errors import DeviceError
from tinyserve.progress import Progress, silent

T = TypeVar("T")

_ECHO = Command(OS, 0, "echo")
_RESET = Command(OS, 5, "reset")
_PARAMETERS = Command(OS, 6, "parameters")
_STATE = Command(IMAGE, 0, "image state")
_UPLOAD = Command(IMAGE, 1, "image upload")
_ERASE = Command(IMAGE, 5, "image erase")
_INFO = Command(MODEL, 0, "model info")
_LOAD = Command(MODEL, 1, "load")
_INFER = Command(MODEL, 2, "infer")
_OUTPUT = Command(MODEL, 3, "output")
_PROFILE = Command(MODEL, 4, "profile")
_HEALTH = Command(MODEL, 5, "health")
_SLOTS = Command(MODEL, 6, "slots")
_REVERT = Command(MODEL, 7, "revert")
_CHALLENGE = Command(MODEL, 8, "challenge")
_UNLOCK = Command(MODEL, 9, "unlock")
_LOCK = Command(MODEL, 10, "lock")
_BAUD = Command(MODEL, 11, "baud")
LINE_LABEL = b"tinyserve-line-1"
"""Before the number that a device draws, in what a host signs: no signature of an image can stand for it."""
_NONCE_BYTES = 32
_NEW_RATE_TIMEOUT_S = 1.0
_NEW_RATE_ASK_S, _NEW_RATE_TRIES = 0.25, 8
"""Often: the first question may come while the device still changes its rate. A late answer to it counts."""
_FALL_BACK_TRIES = 32
_NOT_SUPPORTED = 8
_NO_IMAGE, _NOT_IN_ORDER = 3, 5
"""Of groups IMAGE and MODEL."""
VERIFY_TIMEOUT_S = 120.0
"""A signature takes a second, an erase of a slot some more, a proof as long as an inference."""
_CHUNK_OVERHEAD = 128
_LEAST_CHUNK = 32
_STALLS = 20
_MOST_RATE = 50_000_000


class Phase(IntEnum):
    """Of a slot."""

    EMPTY = 0
    RECEIVING = 1
    PROVING = 3
    TRIAL = 4
    CONFIRMED = 5
    REFUSED = 6


class SlotState(msgspec.Struct, frozen=True):
    """What a device says of a slot. ``hash``: of header, body and protected TLVs, as the image claims it."""

    phase: int
    reason: int
    detail: int
    address: int
    hash: bytes = b""
    version: tuple[int, int, int, int] = (0, 0, 0, 0)


class SlotsState(msgspec.Struct, frozen=True):
    """What a device says of its slots. ``active`` 255: none."""

    active: int
    boots: int
    counter: int
    key: bytes
    abi: int
    core: int
    memory: int
    slot_bytes: int
    slots: tuple[SlotState, ...]


class ModelState(msgspec.Struct, frozen=True):
    """What a device serves; ``sha256`` "" for nothing."""

    abi: int
    board: str
    core: str
    firmware: str
    model: str
    sha256: str
    inputs: list[int]
    outputs: list[int]
    layers: int
    arena: int
    memory: int
    stack_used: int
    stack_size: int
    tick_unit: str
    tick_hz: int


class HealthState(msgspec.Struct, frozen=True):
    """The counters as they are kept (slots/health reads them)."""

    data: bytes
    sha256: str
    tick_unit: str
    enabled: int


_Word = Annotated[int, Meta(ge=0, lt=1 << 32)]


class _Event(msgspec.Struct, frozen=True):
    """What ``infer`` says of an event; see ``compiler.events.Event``."""

    name: Annotated[str, Meta(max_length=32)]
    class_number: Annotated[int, Meta(ge=0, lt=1 << 31)] = msgspec.field(name="class")
    inference: _Word
    sample_high: _Word
    sample: _Word
    first: Annotated[int, Meta(ge=0, lt=1 << 8)]
    count: Annotated[int, Meta(ge=0, lt=1 << 8)]


class _Inferred(msgspec.Struct, frozen=True):
    """What ``infer`` answers."""

    ticks: list[int]
    events: list[_Event] = []
    lost: _Word = 0


@dataclass(frozen=True)
class LayerTicks:
    """A layer of the served model, and the ticks it took."""

    name: str
    ticks: int


class SmpDevice:
    """Firmware with slots behind a client. Every call raises SmpError for what the device refuses, and what
    the link raises."""

    def __init__(self, client: SmpClient, sign: Callable[[bytes], bytes] | None = None) -> None:
        """``sign`` signs for the line key of a device that was built with --secure."""
        self._client = client
        if sign is not None:
            client.unlock = lambda: self.unlock(sign)
        self.events: list[Event] = []
        self.lost_events = 0

    def echo(self, text: str) -> str:
        """The text, back from the device."""
        return str(self._client.write(_ECHO, {"d": text}).get("r", ""))

    def reset(self) -> None:
        """Restarts the device; it answers before."""
        with contextlib.suppress(NoAnswer):
            self._client.write(_RESET)

    def unlock(self, sign: Callable[[bytes], bytes]) -> None:
        """Proves to the device that this host has the line's key. A device that is not locked is left alone.

        Raises DeviceError where the device takes another key.
        """
        answer = self._client.read(_CHALLENGE)
        nonce = answer.get("nonce", b"")
        if not answer.get("secure"):
            return
        if not isinstance(nonce, bytes) or len(nonce) != _NONCE_BYTES:
            raise DeviceError("the device draws no number to sign", "update its firmware")
        try:
            self._client.write(_UNLOCK, {"signature": sign(LINE_LABEL + nonce)}, VERIFY_TIMEOUT_S)
        except SmpError as error:
            if error.code != ACCESS_DENIED:
                raise
            raise DeviceError(
                "the device does not know the line's key", "--line-key FILE: the key of --secure FILE.pub"
            ) from error

    def lock(self) -> None:
        """Closes the line to strangers, where the device was built so."""
        self._client.write(_LOCK)

    def set_baud(self, wanted: int) -> int:
        """Moves the line to ``wanted`` bit/s or, where the device takes less, to its most; the rate that it
        has then. Where nothing is understood at the new rate both sides go back.

        Raises DeviceError where the device answers at neither rate.
        """
        try:
            answer = self._client.read(_BAUD)
        except SmpError as error:
            if error.code == _NOT_SUPPORTED:
                raise DeviceError("this firmware has one rate alone", "leave --baud out") from error
            raise
        before, most = _rate(answer, "baud"), _rate(answer, "most")
        rate = min(wanted, most)
        if rate == before:
            return before
        self._client.write(_BAUD, {"baud": rate}, _NEW_RATE_TIMEOUT_S)
        self._client.link.set_baud(rate)
        if self._client.answers(_BAUD, _NEW_RATE_ASK_S, _NEW_RATE_TRIES):
            return rate
        self._client.link.set_baud(before)
        if self._client.answers(_BAUD, _NEW_RATE_ASK_S, _FALL_BACK_TRIES):
            return before
        raise DeviceError(
            f"the device answers at neither {rate:,} nor {before:,} bit/s", "reset it, and leave --baud out"
        )

    def slots(self) -> SlotsState:
        """What the slots hold."""
        return _typed(self._client.read(_SLOTS), SlotsState)

    def model(self) -> ModelState:
        """What is served."""
        return _typed(self._client.read(_INFO), ModelState)

    def upload(self, image: bytes, progress: Progress = silent) -> None:
        """Sends an image into the slot that is free; goes on where an upload of the same bytes ended."""
        buffer = int(self._client.read(_PARAMETERS).get("buf_size", 256))
        chunk = max(_LEAST_CHUNK, (buffer - _CHUNK_OVERHEAD) // 4 * 4)
        digest = hashlib.sha256(image).digest()
        first = {"image": 0, "len": len(image), "sha": digest}
        at = stalled = 0
        while True:
            sent = {"off": at, "data": image[at : at + chunk], **(first if at == 0 else {})}
            answer = self._client.write(_UPLOAD, sent, VERIFY_TIMEOUT_S)
            reached = answer.get("off")
            if not isinstance(reached, int) or not 0 <= reached <= len(image):
                raise DeviceError(f"the device is at offset {reached} of {len(image)} bytes", "try again")
            progress("uploading", reached, len(image))
            if reached == len(image):
                break
            stalled = 0 if reached > at else stalled + 1
            if stalled > _STALLS:
                raise DeviceError(f"the upload does not get beyond byte {at}", "try again")
            at = reached
        if answer.get("match") is False:
            raise DeviceError("the device holds other bytes than were sent", "try again")

    def test(self, image_hash: bytes) -> None:
        """Verifies the uploaded image, lets it prove itself, and puts it on trial."""
        self._client.write(_STATE, {"hash": image_hash, "confirm": False}, VERIFY_TIMEOUT_S)

    def confirm(self) -> None:
        """What is on trial stays. Raises DeviceError where no model is in use."""
        try:
            self._client.write(_STATE, {"confirm": True}, VERIFY_TIMEOUT_S)
        except SmpError as error:
            if (error.group, error.code) != (IMAGE, _NO_IMAGE):
                raise
            raise DeviceError(
                "no model is in use: there is nothing to confirm", "tinyserve update IMAGE brings one"
            ) from error

    def revert(self) -> None:
        """Ends the trial: the model before is served again. Raises DeviceError where none is on trial."""
        try:
            self._client.write(_REVERT, timeout_s=VERIFY_TIMEOUT_S)
        except SmpError as error:
            if (error.group, error.code) != (MODEL, _NOT_IN_ORDER):
                raise
            raise DeviceError(
                "no model is on trial: there is nothing to go back from",
                "sign an earlier model again to return to it; --counter as high as tinyserve slots shows",
            ) from error

    def erase(self) -> None:
        """Empties the slot that does not serve."""
        self._client.write(_ERASE, timeout_s=VERIFY_TIMEOUT_S)

    def load(self, data: bytes, index: int = 0) -> None:
        """An input, byte for byte."""
        at = stalled = 0
        while at < len(data) or not data:
            answer = self._client.write(_LOAD, {"index": index, "off": at, "data": data[at : at + 768]})
            reached = int(answer.get("off", -1))
            if not data:
                return
            stalled = 0 if reached > at else stalled + 1
            if not 0 <= reached <= len(data) or stalled > _STALLS:
                raise DeviceError(f"input {index} does not get beyond byte {at}", "try again")
            at = reached

    def infer(self, runs: int = 1, *, audit: bool = False) -> list[int]:
        """Ticks of each of up to 32 inferences; health does not count those of an ``audit``. What happened in
        them is in ``events`` after it: the first eight, and the bytes of their outputs where there was one
        inference."""
        wanted = {"runs": runs, "audit": True} if audit else {"runs": runs}
        answer = self._client.write(_INFER, wanted, VERIFY_TIMEOUT_S)
        said = _typed(answer, _Inferred)
        self.lost_events = said.lost
        self.events = [self._event(one, runs == 1) for one in said.events]
        return said.ticks

    def _event(self, said: _Event, whole: bool) -> Event:
        numbers = range(said.first, said.first + said.count) if whole else ()
        payload = tuple(self.output(number) for number in numbers)
        sample = said.sample_high << 32 | said.sample
        return Event(said.name, said.class_number, said.inference, sample, payload)

    def output(self, index: int = 0) -> bytes:
        """The bytes of an output of the last inference."""
        data = b""
        while True:
            answer = self._client.read(_OUTPUT, {"index": index, "off": len(data)})
            piece = bytes(answer.get("data", b""))
            data += piece
            if len(data) >= int(answer.get("len", 0)) or not piece:
                return data

    def profile(self) -> list[LayerTicks]:
        """One inference, layer by layer."""
        answers = (
            self._client.write(_PROFILE, {"layer": layer}, VERIFY_TIMEOUT_S)
            for layer in range(self.model().layers)
        )
        return [LayerTicks(str(answer["name"]), int(answer["ticks"])) for answer in answers]

    def health(self) -> HealthState:
        """The counters since the last clear."""
        return _typed(self._client.read(_HEALTH), HealthState)

    def clear_health(self) -> None:
        """The counters start again at zero."""
        self._client.write(_HEALTH)


def _rate(answer: dict[str, Any], key: str) -> int:
    rate = answer.get(key)
    if not isinstance(rate, int) or not 0 < rate <= _MOST_RATE:
        raise DeviceError(f"the device says {rate!r} of its line's rate", "update its firmware")
    return rate


def _typed(answer: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise DeviceError(f"the device's answer can't be read: {error}", "update its firmware") from error
