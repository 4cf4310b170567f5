# SPDX-License-Identifier: Apache-2.0
"""A specification as operators, in whatever writes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyserve.errors import DataError
from tinyserve.features import spec
from tinyserve.features.flow import HINT, Flow, Value, Writer
from tinyserve.features.kinds import build

_MOST_VALUES = 1 << 28
"""That a step may give: 1 GiB of float32. More is a slip of the keyboard."""
INPUT = "input"
"""What steps call the raw input."""


@dataclass(frozen=True)
class Stage:
    """A step's name and kind, and what it gives."""

    name: str
    kind: str
    value: Value


@dataclass(frozen=True)
class Features:
    """The tensors of a specification that was written: its raw input, and all of its steps in order."""

    input: Value
    stages: list[Stage]

    @property
    def output(self) -> Value:
        return self.stages[-1].value


def write(given: spec.Spec, writer: Writer, shape: tuple[int, ...] | None = None) -> Features:
    """Writes the operators. ``shape``: what a model takes, which the last step must fill (None: no model).

    Raises DataError with the step that does not fit.
    """
    taken = given.input
    tensor = writer.tensor(taken.name or "samples", (1, *taken.shape), taken.type)
    raw = Value(tensor, tuple(taken.shape), taken.type, taken.rate_hz)
    flow, known, stages = Flow(writer, taken.stream), {INPUT: raw}, []
    flow.step = INPUT
    before = _bounded(raw, flow)
    for number, step in enumerate(given.steps, 1):
        flow.step = spec.name_of(number, step)
        if flow.step in known:
            raise flow.error("the name is taken", "names of steps differ")
        known[flow.step] = before = _bounded(_made(step, before, known, flow), flow)
        stages.append(Stage(flow.step, str(step.__struct_config__.tag), before))
    flow.step = "output"
    last = flow.floats(before)
    if shape is not None:
        last = _fitted(last, shape, flow)
    stages[-1] = Stage(stages[-1].name, stages[-1].kind, last)
    return Features(raw, stages)


def _bounded(value: Value, flow: Flow) -> Value:
    """The value, if it is not too large for anything that would compute it."""
    if value.elements > _MOST_VALUES:
        raise flow.error(
            f"{value.elements:,} values of shape {list(value.shape)}",
            f"up to {_MOST_VALUES:,} in one inference",
        )
    return value


def _made(step: spec.Step, before: Value, known: dict[str, Value], flow: Flow) -> Value:
    if isinstance(step, spec.Concat):
        values = [flow.floats(_named(name, known, flow)) for name in step.inputs]
        if len({value.shape[:-1] for value in values}) > 1:
            shapes = ", ".join(str(list(value.shape)) for value in values)
            raise flow.error(f"{shapes} differ in more than the last axis", "reshape them first")
        return flow.joined(values)
    return build(step, _named(step.input, known, flow) if step.input else before, flow)


def _named(name: str, known: dict[str, Value], flow: Flow) -> Value:
    if name not in known:
        raise flow.error(f"there is no step '{name}' before it", f"there are: {', '.join(known)}")
    return known[name]


def _fitted(value: Value, shape: tuple[int, ...], flow: Flow) -> Value:
    """As the model's input, with or without a batch axis of 1."""
    if math.prod(shape) != value.elements:
        raise DataError(
            f"the features give {list(value.shape)}, and the model takes {list(shape)}",
            HINT,
        )
    return value if shape == (1, *value.shape) else flow.exactly(value, shape)
