# SPDX-License-Identifier: Apache-2.0
"""Events: what a model's outputs say happened in an inference, and which outputs come with it.

Metadata of the .tflite file says which outputs are events. Such an output is int32, and its first element
says in each inference what happened: a class, or -1 for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from tinyserve.compiler.graph.types import DType, Model
from tinyserve.documents import from_json
from tinyserve.errors import ModelError

METADATA = "tinyserve.events"
"""The name of the file's metadata that holds ``Events`` as JSON."""
MOST_EVENTS = 16
_HINT = "convert the model again: its description of events is not one of tinyserve's"


class EventSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An output that says what happened. ``payload``: numbers of the outputs that belong to its events, one
    behind the other."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
    output: Annotated[int, Meta(ge=0, lt=1 << 16)]
    payload: Annotated[list[Annotated[int, Meta(ge=0, lt=1 << 16)]], Meta(max_length=64)] = []


class Events(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a model's. ``samples``: how many samples in time an inference takes, 1 where it has no time."""

    sources: Annotated[list[EventSource], Meta(max_length=MOST_EVENTS)] = []
    samples: Annotated[int, Meta(ge=1, le=1 << 24)] = 1


NO_EVENTS = Events()


@dataclass(frozen=True)
class Event:
    """One event. ``class_number``: what happened; ``inference``: in which one since the last reset, from 0;
    ``sample``: how many samples had been taken when it was known; ``payload``: the bytes that came with it,
    one array per output of the source's payload."""

    name: str
    class_number: int
    inference: int
    sample: int
    payload: tuple[bytes, ...] = ()


def encoded(events: Events) -> bytes:
    """As the metadata holds them."""
    return msgspec.json.encode(events)


def events_of(model: Model) -> Events:
    """What the file says. Raises ModelError where that is not so: files come from anywhere."""
    raw = model.metadata.get(METADATA)
    if raw is None:
        return NO_EVENTS
    try:
        found = from_json(raw, Events)
    except (msgspec.DecodeError, ValueError) as error:
        raise ModelError(f'metadata "{METADATA}": {error}', _HINT) from error
    outputs = model.main.outputs
    for source in found.sources:
        _check(source, [(tensor.dtype, tensor.elements) for tensor in outputs])
    names = [source.name for source in found.sources]
    if len(set(names)) < len(names):
        raise ModelError(f'metadata "{METADATA}": two events have one name', _HINT)
    return found


def _check(source: EventSource, outputs: Sequence[tuple[DType, int]]) -> None:
    said = f'metadata "{METADATA}": event {source.name}'
    if source.output >= len(outputs) or any(number >= len(outputs) for number in source.payload):
        raise ModelError(f"{said} names an output beyond {len(outputs)}", _HINT)
    dtype, elements = outputs[source.output]
    if dtype is not DType.INT32 or not elements:
        raise ModelError(f"{said} is output {source.output}, which is {dtype.value}, not int32", _HINT)
    if source.payload and source.payload != list(range(source.payload[0], source.payload[-1] + 1)):
        raise ModelError(f"{said} has a payload of outputs that are not in a row", _HINT)
