# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.program import (
    PORTABLE,
    Buffer,
    KernelCall,
    Lifetime,
    MemoryPlan,
    Program,
)
from tinyserve.firmware.footprint.peak import peak_call


def _program(calls: int) -> Program:
    made = [KernelCall("f", "", None, [], [], [], layer=str(i), op="ADD") for i in range(calls)]
    return Program("x", PORTABLE, made, [], [], [], [], [], [], "")


def test_the_peak_is_where_most_bytes_are_in_use_and_shared_bytes_count_once() -> None:
    a, b, c = (Buffer(name, size, DType.INT8) for name, size in (("a", 100), ("b", 90), ("c", 50)))
    plan = MemoryPlan(
        offsets={a: 0, b: 10, c: 100},  # b lies in place over a
        lifetimes={a: Lifetime(-1, 0), b: Lifetime(0, 1), c: Lifetime(1, 2)},
        arena_bytes=150,
    )
    assert peak_call(_program(3), plan) == (1, 140)


def test_a_model_without_calls_has_no_peak() -> None:
    assert peak_call(_program(0), MemoryPlan({}, {}, 0)) is None
