# SPDX-License-Identifier: Apache-2.0
"""What the server and a twin's process say to each other: MessagePack behind its length in four bytes."""

from __future__ import annotations

import struct
from typing import IO, TypeVar

import msgspec

from tinyserve.compiler.events import Event
from tinyserve.serve.config import MemberSpec
from tinyserve.serve.engines.base import Identity
from tinyserve.serve.request import Sample

T = TypeVar("T")
_LENGTH = struct.Struct("<I")


class Opening(msgspec.Struct, frozen=True):
    """The first frame to the twin: what it is."""

    spec: MemberSpec
    model_sha256: str
    elf: str


class Asked(msgspec.Struct, frozen=True, tag=True):
    """An inference."""

    sample: Sample
    fresh: bool


class Keep(msgspec.Struct, frozen=True, tag=True):
    """The model has passed its check: it stays on the device."""


class Answered(msgspec.Struct, frozen=True):
    """The answer to any of them; ``error`` "" where all went well. An ``Identity`` follows the first."""

    outputs: Sample = ()
    link_s: float = 0.0
    compute_s: float = 0.0
    ticks: int = 0
    events: tuple[Event, ...] = ()
    error: str = ""
    hint: str = ""


def write(stream: IO[bytes], frame: Opening | Asked | Keep | Answered | Identity) -> None:
    """Raises OSError, ValueError where nobody listens."""
    data = msgspec.msgpack.encode(frame)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read(stream: IO[bytes], kind: type[T]) -> T:
    """Raises EOFError where nothing comes any more."""
    return msgspec.msgpack.decode(_body(stream), type=kind)


def read_order(stream: IO[bytes]) -> Asked | Keep:
    """What the twin is to do next. Raises EOFError where nothing comes any more."""
    found: Asked | Keep = msgspec.msgpack.decode(_body(stream), type=Asked | Keep)
    return found


def _body(stream: IO[bytes]) -> bytes:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data
