# SPDX-License-Identifier: Apache-2.0
"""Steps on columns of a table, as operators: crosses, embeddings, times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinyserve.features import spec
from tinyserve.features.flow import Flow, Value
from tinyserve.features.steps import banded, build, selected
from tinyserve.words import counted

_MOST_COMBINATIONS = 1 << 24  # whole numbers that float32 has all of
_MOST_TABLE = 1 << 20
_DAY, _WEEK, _YEAR = 86_400, 604_800, 31_556_952  # seconds; of the Gregorian calendar's mean year
_MONDAY = 3 * _DAY  # Unix time began on a Thursday
_WHOLE = {"second": (60, 1), "minute": (3600, 60), "hour": (_DAY, 3600), "weekday": (_WEEK, _DAY)}
_CYCLES = {"day": _DAY, "week": _WEEK, "year": _YEAR}
TIMES = (*_WHOLE, *(f"{name}_{wave}" for name in _CYCLES for wave in ("sin", "cos")))


@build.register
def _cross(step: spec.Cross, value: Value, flow: Flow) -> Value:
    if len(step.columns) != len(step.sizes):
        raise flow.error(f"{len(step.sizes)} sizes for {counted(len(step.columns), 'column')}", "one each")
    total = math.prod(step.sizes)
    if total > _MOST_COMBINATIONS:
        raise flow.error(f"{total:,} combinations", f"up to {_MOST_COMBINATIONS:,}")
    chosen = _whole(selected(step.columns, flow.floats(value), flow), [size - 1 for size in step.sizes], flow)
    strides = [math.prod(step.sizes[place + 1 :]) for place in range(len(step.sizes))]
    return banded([strides], chosen, flow)


@build.register
def _embedding(step: spec.Embedding, value: Value, flow: Flow) -> Value:
    width = len(step.table[0])
    if any(len(row) != width for row in step.table):
        raise flow.error("rows of the table differ in length", f"{counted(width, 'value')} each")
    if len(step.table) * width > _MOST_TABLE:
        raise flow.error(f"a table of {len(step.table) * width:,} values", f"up to {_MOST_TABLE:,}")
    rows = flow.integers(_whole(flow.floats(value), [len(step.table) - 1], flow))
    table = flow.constant(step.table)
    shape = (*value.shape, width)
    found = flow.gathered(table, rows, shape)
    return flow.reshaped(found, (*value.shape[:-1], value.shape[-1] * width))


@build.register
def _time(step: spec.Time, value: Value, flow: Flow) -> Value:
    for name in step.of:
        if name not in TIMES:
            raise flow.error(f"there is no time '{name}'", ", ".join(TIMES))
    if value.dtype not in ("int32", "float32"):
        raise flow.error(f"seconds in {value.dtype}", 'type = "int32" for Unix time, or float32')
    return flow.joined([_of_time(name, step, value, flow) for name in step.of])


def _of_time(name: str, step: spec.Time, value: Value, flow: Flow) -> Value:
    if name in _WHOLE:
        period, unit = _WHOLE[name]
        inside = _modulo(value, period, step.offset_s, flow)
        return flow.floats(_divided(inside, unit, flow))
    cycle, _, wave = name.rpartition("_")
    inside = flow.floats(_modulo(value, _CYCLES[cycle], step.offset_s, flow))
    angle = flow.builtin(
        "MUL", "MulOptions", inside, [flow.constant(2 * math.pi / _CYCLES[cycle])], value.shape
    )
    return flow.builtin(wave.upper(), "", angle, [], value.shape)


def _modulo(value: Value, period: int, offset_s: int, flow: Flow) -> Value:
    """Seconds since the period began, in local time. Unix time's week begins on its fifth day."""
    shift = offset_s + (_MONDAY if value.dtype == "int32" and period == _WEEK else 0)
    if value.dtype == "int32":  # first into the period, so that no sum is beyond 32 bits
        value = _by("FLOOR_MOD", "FloorModOptions", value, period, flow)
    if shift % period:
        value = _by("ADD", "AddOptions", value, shift % period, flow)
    return _by("FLOOR_MOD", "FloorModOptions", value, period, flow)


def _divided(value: Value, unit: int, flow: Flow) -> Value:
    return value if unit == 1 else _by("FLOOR_DIV", "FloorDivOptions", value, unit, flow)


def _by(op: str, options: str, value: Value, number: int, flow: Flow) -> Value:
    return flow.builtin(op, options, value, [flow.constant(number, value.dtype)], value.shape)


def _whole(value: Value, highest: Sequence[int], flow: Flow) -> Value:
    """Whole numbers from 0 to ``highest`` (one, or one each), in float32; NaN is 0."""
    known = flow.chosen(flow.is_number(value), value, flow.constant(0.0))
    low = flow.builtin("MAXIMUM", "", known, [flow.constant(0.0)], value.shape)
    top = flow.constant(highest[0] if len(highest) == 1 else np.array(highest))
    bounded = flow.builtin("MINIMUM", "", low, [top], value.shape)
    return replace(flow.builtin("FLOOR", "", bounded, [], value.shape), fft_length=0)
