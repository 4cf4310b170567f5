# SPDX-License-Identifier: Apache-2.0
"""Requests and answers. A request that goes unanswered, or whose answer is torn, is sent again: each can be
carried out twice without harm."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from tinyserve.devices.link import Link, LinkClosed, NoAnswer
from tinyserve.devices.smp import frames
from tinyserve.errors import DeviceError

OS, IMAGE, STATISTICS, MODEL = 0, 1, 2, 64
TIMEOUT_S = 10.0
TRIES = 5
_HEADER = struct.Struct(">BBHHBB")
_VERSION_2 = 1 << 3
_READ, _WRITE = 0, 2
_PLAIN = {
    1: "an error of no known kind",
    3: "an argument that it does not take",
    5: "no such entry",
    6: "not in this state",
    7: "an answer that is too long",
    8: "a command that it does not have",
    11: "access denied",
}
_OF_GROUPS = {
    (IMAGE, 1): "an error of no known kind",
    (IMAGE, 3): "no image",
    (IMAGE, 5): "an image without an entry that it needs",
    (IMAGE, 8): "no image of this hash",
    (IMAGE, 9): "no slot that is free for it",
    (IMAGE, 12): "a flash that failed",
    (IMAGE, 15): "too little memory for the image",
    (IMAGE, 20): "an offset that does not continue the upload",
    (IMAGE, 21): "a length that does not fit",
    (IMAGE, 22): "an image with an invalid header",
    (IMAGE, 23): "no image format that it knows",
    (IMAGE, 24): "an image that is not the one that was signed",
    (IMAGE, 27): "an image that is not newer",
    (IMAGE, 30): "an image that is too large",
    (MODEL, 1): "no model in use",
    (MODEL, 2): "inputs that are not complete",
    (MODEL, 3): "no result yet",
    (MODEL, 4): "a number out of range",
    (MODEL, 5): "not in this order",
    (MODEL, 6): "an inference that failed",
    (MODEL, 7): "a flash that failed",
}
"""What the firmware's groups number themselves: smp_image.c, smp_model.c."""
ACCESS_DENIED = 11
_LOCKED = (
    "the device's line is locked: it was built with --secure",
    "--line-key FILE names the private key of the one that it was built with",
)


class SmpError(DeviceError):
    """The device answered with an error: ``code`` of ``group``, or of SMP itself (``group`` None)."""

    def __init__(self, group: int | None, code: int, what: str) -> None:
        if (group, code) == (None, ACCESS_DENIED):
            super().__init__(f"{_LOCKED[0]} (asked for {what})", _LOCKED[1])
            self.group, self.code = group, code
            return
        words = _PLAIN.get(code) if group is None else _OF_GROUPS.get((group, code))
        words = words or (f"error {code}" if group is None else f"error {code} of group {group}")
        super().__init__(f"the device answers {what} with {words}", "tinyserve slots shows its state")
        self.group = group
        self.code = code


@dataclass(frozen=True)
class Command:
    """A command of a group, and what messages call it."""

    group: int
    number: int
    name: str


class SmpClient:
    """Talks over a device's link. One request at a time.

    ``unlock`` opens a line that turns out to be locked; the request is then made once more.
    """

    def __init__(self, link: Link, timeout_s: float = TIMEOUT_S, tries: int = TRIES) -> None:
        self.link = link
        self.unlock: Callable[[], None] | None = None
        self._timeout_s = timeout_s
        self._tries = tries
        self._sequence = 0

    def read(self, command: Command, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a read gives. Raises SmpError, and what the link raises."""
        return self._ask(_READ, command, arguments or {}, self._timeout_s)

    def write(
        self, command: Command, arguments: Mapping[str, Any] | None = None, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """What a write gives; ``timeout_s`` for those that take long."""
        return self._ask(_WRITE, command, arguments or {}, timeout_s or self._timeout_s)

    def _ask(
        self, operation: int, command: Command, arguments: Mapping[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        try:
            return self._ask_once(operation, command, arguments, timeout_s)
        except SmpError as error:
            unlock = self.unlock
            if unlock is None or (error.group, error.code) != (None, ACCESS_DENIED):
                raise
        self.unlock = None  # what it asks itself is never locked
        try:
            unlock()
        finally:
            self.unlock = unlock
        return self._ask_once(operation, command, arguments, timeout_s)

    def answers(self, command: Command, timeout_s: float, tries: int) -> bool:
        """Whether the device answers a read at all."""
        before = self._timeout_s, self._tries
        self._timeout_s, self._tries = timeout_s, tries
        try:
            self.read(command)
        except NoAnswer:
            return False
        finally:
            self._timeout_s, self._tries = before
        return True

    def _ask_once(
        self, operation: int, command: Command, arguments: Mapping[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        self._sequence = (self._sequence + 1) & 0xFF
        body = cbor2.dumps(dict(arguments))
        head = (operation | _VERSION_2, 0, len(body), command.group, self._sequence, command.number)
        request = frames.encode(_HEADER.pack(*head) + body)
        wanted = (operation + 1, command.group, self._sequence, command.number)
        last: DeviceError = DeviceError("nothing was tried")
        for _ in range(self._tries):
            self.link.write(request)
            try:
                return self._checked(self._answer(wanted, timeout_s), command)
            except LinkClosed:
                raise
            except NoAnswer as error:
                last = error
        raise NoAnswer(
            f"{last.message} (asked {self._tries} times for {command.name})",
            "check the port, and that this firmware was built with --slots",
        ) from last

    def _answer(self, wanted: tuple[int, int, int, int], timeout_s: float) -> bytes:
        """The body of the answer to a request; all else that comes is dropped."""
        assembler = frames.Assembler()
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoAnswer(self.link.describe(f"no whole answer within {timeout_s:g} s"))
            try:
                line = self.link.read_line(left)
            except NoAnswer as error:  # of what was left; an emulated device says at once that none will come
                raise NoAnswer(self.link.describe(f"no whole answer within {timeout_s:g} s")) from error
            packet = assembler.feed(line.encode("latin-1", errors="replace"))
            if packet is None or len(packet) < _HEADER.size:
                continue
            first, _, length, group, sequence, number = _HEADER.unpack_from(packet)
            if (first & 7, group, sequence, number) == wanted and length == len(packet) - _HEADER.size:
                return packet[_HEADER.size :]

    def _checked(self, body: bytes, command: Command) -> dict[str, Any]:
        try:
            answer = cbor2.loads(body)
        except (cbor2.CBORDecodeError, ValueError, EOFError) as error:
            raise NoAnswer(self.link.describe(f"the answer to {command.name} is no CBOR")) from error
        if not isinstance(answer, dict):
            raise NoAnswer(self.link.describe(f"the answer to {command.name} is no map"))
        wrong = answer.get("err")
        if isinstance(wrong, dict):
            raise SmpError(_number(wrong.get("group")), _number(wrong.get("rc")), command.name)
        if _number(answer.get("rc", 0)):
            raise SmpError(None, _number(answer["rc"]), command.name)
        return answer


def _number(value: object) -> int:
    return value if isinstance(value, int) else 1
