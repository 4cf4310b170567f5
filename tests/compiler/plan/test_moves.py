# SPDX-License-Identifier: Apache-2.0
"""Moves: never wrong, taken where they pay, not where speed comes first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.programs import Machine, buffer, call, program, programs
from tests.support.models import model_bytes
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.plan.moves import _candidates, relocate, with_moves
from tinyserve.compiler.plan.planner import check, plan
from tinyserve.compiler.program import Optimize, Overlap, Program, Target


def creeping(optimize: Optimize, macs: int = 10_000_000) -> Program:
    """Ten kernels in a row, each of which needs its output 400 bytes below its input."""
    values = [buffer(f"v{i}", 8000, alignment=4) for i in range(11)]
    calls = [call([values[i]], [values[i + 1]], [Overlap(values[i], values[i + 1], 400)]) for i in range(10)]
    calls[0] = replace(calls[0], macs=macs)
    return replace(program(calls, values[:1], values[-1:]), target=Target(optimize=optimize))


@settings(max_examples=100)
@given(programs(), st.data())
def test_a_program_with_any_moves_has_a_plan_that_runs(random_program: Program, data: st.DataObject) -> None:
    candidates = _candidates(random_program)
    chosen = [move for move in candidates if data.draw(st.booleans())]
    moved = with_moves(random_program, chosen)
    made = plan(moved)
    assert check(moved, made) == []
    Machine(moved, made).run()


def test_ram_takes_the_sum_of_leads_apart() -> None:
    unmoved = creeping("ram")
    moved, memory = relocate(unmoved, plan(unmoved))
    assert memory.arena_bytes == 8400
    assert 0 < sum(call.op == "MOVE" for call in moved.calls) < 10


def test_balanced_spends_one_move_in_the_middle() -> None:
    unmoved = creeping("balanced")
    moved, memory = relocate(unmoved, plan(unmoved))
    assert plan(unmoved).arena_bytes == 12000
    assert memory.arena_bytes == 10000
    assert sum(call.op == "MOVE" for call in moved.calls) == 1


@pytest.mark.parametrize("unmoved", [creeping("speed"), creeping("size"), creeping("balanced", macs=1000)])
def test_speed_is_not_spent_where_it_was_not_offered(unmoved: Program) -> None:
    moved, _ = relocate(unmoved, plan(unmoved))
    assert moved is unmoved


def test_outputs_and_state_stay_where_they_are() -> None:
    x, y, z = buffer("x", 8, "input", 4), buffer("y", 8, "output", 4), buffer("z", 8, "output", 4)
    state = buffer("h", 8, "state", 4)
    calls = [call([x, state], [y, state]), call([y], [z])]
    assert [move[1].name for move in _candidates(program(calls, [x], [y, z]))] == ["x"]


@pytest.mark.models
@pytest.mark.parametrize(("optimize", "most"), [("balanced", 9500), ("ram", 8400)])
def test_kws_with_moves_gives_tflms_tensors(optimize: Optimize, most: int) -> None:
    data = model_bytes("kws_ref_model")
    compiled = compile_model(data, Target(optimize=optimize), optimize_graph=False)
    assert compiled.plan.arena_bytes <= most
    assert any(call.op == "MOVE" for call in compiled.program.calls)
    host, oracle = HostModel(compiled), Tflm(data, preserve=True)
    value = np.random.default_rng(7).integers(-128, 128, (1, 49, 10, 1), dtype=np.int8)
    oracle.invoke([value])
    for index, traced in host.trace([value]).items():
        np.testing.assert_array_equal(traced, oracle.tensor(index).reshape(traced.shape))
