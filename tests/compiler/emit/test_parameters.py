# SPDX-License-Identifier: Apache-2.0
"""Forgotten and misnamed kernel parameters are errors when emitting, for every kernel there is."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compiler.emit.test_emit import hostile_model
from tests.sweep import cases
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.emit.emit import emit
from tinyserve.compiler.emit.kernel_files import collect
from tinyserve.compiler.emit.parameters import misfit, missing, structs, unknown
from tinyserve.compiler.host.model import FAST
from tinyserve.compiler.program import PORTABLE, Constant, ParamValue, Target, every_call
from tinyserve.errors import ToolError

TARGETS = {
    "portable": PORTABLE,
    "host": FAST,
    "dsp": Target(frozenset({"dsp", "fpu"})),
    "mve": Target(frozenset({"mve", "dsp", "fpu"})),
    "thumb1": Target(frozenset({"thumb1"})),
    "rv32m": Target(frozenset({"rv32m"})),
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
            if call.params_type:
                assert call.params_type in structs(tuple(collect([call.header]).values())), call.function


@pytest.mark.parametrize(("old", "new"), [("activation_min", None), ("activation_min", "activation_low")])
def test_a_forgotten_or_misnamed_parameter_is_an_error(old: str, new: str | None) -> None:
    compiled = compile_model(hostile_model())
    call = compiled.program.calls[0]
    value = call.params.pop(old)
    if new is not None:
        call.params[new] = value
    with pytest.raises(ToolError, match=f"lacks {old}"):
        emit(compiled.program, compiled.plan)


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
        ("pair", (1, 2), ""),
        ("pair", (1, 200), "is 200, beyond int8_t"),
        ("pair", (1, 2, 3), "has 3 values, pair_params 2 fields"),
    ],
)
def test_a_value_that_the_field_cannot_hold_is_named(name: str, value: ParamValue, why: str) -> None:
    found = misfit(structs((HEADER,)), "outer_params", name, value)
    assert why in found and bool(why) == bool(found)


def test_a_parameter_beyond_its_field_names_layer_and_field() -> None:
    compiled = compile_model(hostile_model())
    call = compiled.program.calls[0]
    call.params["activation_min"] = 1 << 40
    with pytest.raises(
        ToolError, match=rf'layer ".*{call.params_type}.activation_min is 1099511627776, beyond'
    ):
        emit(compiled.program, compiled.plan)
