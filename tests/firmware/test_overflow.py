# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.program import (
    PORTABLE,
    Buffer,
    Constant,
    KernelCall,
    Lifetime,
    MemoryPlan,
    Optimize,
    Program,
)
from tinyserve.firmware.overflow import flash_remedies, peak_call, ram_remedies


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


@pytest.mark.parametrize(
    ("optimize", "room", "helps"),
    [("balanced", 1500, True), ("balanced", 1000, False), ("size", 1500, False), ("balanced", None, True)],
)
def test_smaller_kernels_are_a_remedy_where_weights_leave_room(
    optimize: Optimize, room: int | None, helps: bool
) -> None:
    program = _program(1)
    program = replace(
        program,
        target=replace(program.target, optimize=optimize),
        constants=[Constant("w", np.zeros(1200, np.int8), "int8_t")],
    )
    remedies = flash_remedies(program, room)
    assert ("--optimize size" in remedies) is helps
    assert any('"w", 1,200 bytes' in remedy for remedy in remedies)


def test_what_was_chosen_is_no_remedy() -> None:
    program = _program(1)
    chosen = replace(program, target=replace(program.target, optimize="ram"))
    plan = MemoryPlan({}, {}, 0)
    assert ram_remedies(program, plan)[0] == "--optimize ram"
    assert "--optimize ram" not in ram_remedies(chosen, plan)
