# SPDX-License-Identifier: Apache-2.0
"""Forgotten and misnamed kernel parameters are errors when emitting, for every kernel there is."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args, get_type_hints

import numpy as np
import pytest

from tests.compiler.emit.test_emit import hostile_model
from tests.support.places import KERNELS
from tests.sweep import cases
from tinyserve.compiler import ops, variants
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.emit.emit import emit
from tinyserve.compiler.emit.kernel_files import collect
from tinyserve.compiler.emit.parameters import leaves, misfit, missing, structs, unknown
from tinyserve.compiler.host.model import FAST
from tinyserve.compiler.ops.elementwise.add import AddQuantizedParams
from tinyserve.compiler.ops.support.records import Clamp
from tinyserve.compiler.program import PORTABLE, Buffer, Constant, Params, ParamValue, Target, every_call
from tinyserve.errors import ToolError

TARGETS = {
    "portable": PORTABLE,
    "host": FAST,
    "dsp": Target(frozenset({"dsp", "fpu"})),
    "mve": Target(frozenset({"mve", "dsp", "fpu"})),
    "thumb1": Target(frozenset({"thumb1"})),
    "rv32m": Target(frozenset({"rv32m"})),
    "wasm": Target(frozenset({"wasm"}), "speed"),
}
HEADER = """
#define PAIR(T) T low, high;
#define FIELDS int32_t rows; /* of 4 */ \\
    int32_t *where;
#define MAKE(SUFFIX, T) typedef struct { const T *weights; int32_t steps[2]; } made_##SUFFIX##_params;
MAKE(s8, int8_t)
typedef struct { int8_t first, second; } pair_params;
typedef struct __attribute__((may_alias)) {
    FIELDS
    made_s8_params inner[4], *next;
    void (*call)(int32_t a), (*last)(int32_t a);
    pair_params pair;
} outer_params;
"""


def test_fields_are_read_through_macros_arrays_and_structs_within_structs() -> None:
    fields = structs((HEADER,))
    assert list(fields["made_s8_params"]) == ["weights", "steps"]
    assert list(fields["outer_params"]) == ["rows", "where", "inner", "next", "call", "last", "pair"]
    given = [
        "rows",
        "where",
        "inner[0].weights",
        "inner[1].steps",
        "next",
        "call",
        "last",
        "pair.first",
        "pair.second",
    ]
    assert missing(fields, "outer_params", given) == []
    assert missing(fields, "outer_params", given[1:3]) == [
        "rows",
        "inner.steps",
        "next",
        "call",
        "last",
        "pair.first",
        "pair.second",
    ]
    assert unknown(fields, "outer_params", [*given, "row"]) == ["row"]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_structs_of_all_kernels_are_found(target: Target) -> None:
    """What is not found is not checked. That nothing lacks a field, compiling has shown."""
    for kind in cases.FAMILIES:
        for call in every_call(compile_model(cases.made(kind, 0).model, target, "m").program.calls):
            if call.params is not None:
                found = structs(tuple(collect([call.header]).values()))
                assert call.params.c_type in found, call.function


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_what_scratch_takes_is_said_by_the_kernel_too(target: Target) -> None:
    """The generated C asserts that both say the same."""
    for kind in cases.FAMILIES:
        for call in every_call(compile_model(cases.made(kind, 0).model, target, "m").program.calls):
            scratch = [one for one in call.args if isinstance(one, Buffer) and one.kind == "scratch"]
            assert all(one.size for one in scratch), call.function


def _records() -> list[type[Params]]:
    """Of all operators and variants."""
    for package in (ops, variants):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found, waiting = [], [Params]
    while waiting:
        waiting.extend(subclasses := waiting.pop().__subclasses__())
        found.extend(one for one in subclasses if one.c_type and one.__module__.startswith("tinyserve."))
    return found


def _names(record: type[Params]) -> Iterator[str]:
    """The names of a record's leaves, by its annotations."""
    for name, kind in get_type_hints(record).items():
        inner = get_args(kind)[0] if get_args(kind) else kind
        if name == "c_type":
            continue
        if not isinstance(inner, type) or not issubclass(inner, Params):
            yield name
            continue
        prefix = f"{name}." if any(one.c_type for one in (inner, *inner.__subclasses__())) else ""
        yield from (f"{prefix}{one}" for one in _names(inner))


def test_each_record_has_the_fields_of_its_struct() -> None:
    headers = [path for path in KERNELS.rglob("*.h") if not path.name.startswith("lanes")]
    known: dict[str, dict[str, str]] = {}
    for header in headers:
        known |= structs(tuple(collect([header.relative_to(KERNELS).as_posix()]).values()))
    records = _records()
    assert len(records) > 100
    for record in records:
        assert sorted(_names(record)) == sorted(leaves(known, record.c_type)), record


@dataclass(frozen=True)
class _Short(Params, c_type="ts_add_quantized_params"):
    subtract: bool


@dataclass(frozen=True)
class _Misnamed(Params, c_type="ts_add_quantized_params"):
    subtracts: bool


@pytest.mark.parametrize(
    ("params", "what"),
    [
        (_Short(True), "lacks broadcast.rows, "),
        (_Misnamed(True), "lacks broadcast.rows, broadcast.row_length, "),
    ],
)
def test_a_record_that_is_not_its_struct_is_an_error(params: Params, what: str) -> None:
    compiled = compile_model(hostile_model())
    call = replace(compiled.program.calls[0], params=params)
    with pytest.raises(ToolError, match=what):
        emit(replace(compiled.program, calls=[call]), compiled.plan)


VALUES = Constant("values", np.zeros(2, np.int8), "int8_t")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("rows", 2**31 - 1, ""),
        ("rows", 2**31, "is 2147483648, beyond int32_t"),
        ("rows", -(2**31) - 1, "beyond int32_t"),
        ("rows", 0.5, "is 0.5, the field int32_t"),
        ("rows", None, "is a pointer, the field int32_t"),
        ("rows", VALUES, "is a pointer, the field int32_t"),
        ("rows", (1, 2), "the field int32_t"),
        ("rows", "TS_SOME_ENUMERATOR", ""),
        ("where", None, ""),
        ("where", 4, "is 4, the field a pointer"),
        ("where", VALUES, "points at int8_t, the field at int32_t"),
        ("inner[0].weights", VALUES, ""),
        ("inner[1].steps", (1, 2**31), "beyond int32_t"),
        ("inner[1].steps", 1, "the field int32_t"),
        ("pair.first", 200, "is 200, beyond int8_t"),
    ],
)
def test_a_value_that_the_field_cannot_hold_is_named(name: str, value: ParamValue, why: str) -> None:
    found = misfit(structs((HEADER,)), "outer_params", name, value)
    assert why in found and bool(why) == bool(found)


def test_a_parameter_beyond_its_field_names_layer_and_field() -> None:
    compiled = compile_model(hostile_model())
    call = compiled.program.calls[0]
    assert isinstance(call.params, AddQuantizedParams)
    wrong = replace(call, params=replace(call.params, activation=Clamp(1 << 40, 127)))
    what = 'layer ".*ts_add_quantized_params.activation.min is 1099511627776, beyond'
    with pytest.raises(ToolError, match=what):
        emit(replace(compiled.program, calls=[wrong]), compiled.plan)
