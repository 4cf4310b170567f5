# SPDX-License-Identifier: Apache-2.0
"""An inference as all protocols ask for it and as all of them answer it: what is between them and the
fleet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.events import Event

Array = npt.NDArray[Any]
Sample = tuple[bytes, ...]
"""The bytes of each input (or output) of one inference, as the model has them."""


@dataclass(frozen=True)
class SequenceStep:
    """A step of a sequence of a model with state: all steps of an ``id`` run on one member, in order."""

    id: str
    start: bool = False
    end: bool = False


@dataclass(frozen=True)
class Wanted:
    """An output that the client asked for. ``classes`` > 0: the best of them instead of all values, as
    Triton's classification extension has it. ``binary``: as bytes behind the JSON (REST alone)."""

    name: str
    classes: int = 0
    binary: bool = False


@dataclass(frozen=True)
class InferRequest:
    """``samples`` as the model takes them. ``timeout_s`` is from now; None: the model's limit. ``real``:
    quantized outputs are answered dequantized. ``traceparent``: the trace that it belongs to (W3C Trace
    Context; "": a new one)."""

    model: str
    samples: list[Sample]
    version: str = ""
    id: str = ""
    timeout_s: float | None = None
    priority: int = 0
    sequence: SequenceStep | None = None
    wanted: tuple[Wanted, ...] = ()
    real: bool = False
    traceparent: str = ""


@dataclass(frozen=True)
class Ran:
    """One inference on a member. ``ticks`` are the device's own, of ``tick_unit`` ("" on this computer);
    ``events`` what happened in it."""

    outputs: Sample
    link_s: float = 0.0
    compute_s: float = 0.0
    ticks: int = 0
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Done:
    """One sample's answer: where it ran (a member's name; kind "board", "twin", "host" or "cache"), and what
    it took."""

    ran: Ran
    member: str
    kind: str
    tick_unit: str = ""
    queue_s: float = 0.0
    late: bool = False


@dataclass(frozen=True)
class InferAnswer:
    """``outputs``: by the outputs' names an array of all samples, or where classes were asked for a bytes
    array (dtype object) of "value:index[:label]"."""

    model: str
    version: str
    model_sha256: str
    done: list[Done]
    outputs: dict[str, Array] = field(default_factory=dict)

    def facts(self) -> dict[str, str | int]:
        """What the answer says of itself: times in microseconds, of the slowest sample where there are
        several."""
        slowest = max(self.done, key=lambda one: one.queue_s + one.ran.link_s + one.ran.compute_s)
        said: dict[str, str | int] = {
            "queue_us": _us(slowest.queue_s),
            "link_us": _us(slowest.ran.link_s),
            "compute_us": _us(slowest.ran.compute_s),
            "member": ",".join(dict.fromkeys(one.member for one in self.done)),
            "ran_on": ",".join(dict.fromkeys(one.kind for one in self.done)),
            "model_sha256": self.model_sha256,
        }
        if slowest.tick_unit:
            said["compute_ticks"] = slowest.ran.ticks
            said["tick_unit"] = slowest.tick_unit
        return said


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def as_object_array(values: list[list[bytes]]) -> Array:
    """Rows of byte strings as a (rows, columns) array."""
    array = np.empty((len(values), len(values[0]) if values else 0), dtype=object)
    for row, value in enumerate(values):
        array[row, :] = value
    return array
