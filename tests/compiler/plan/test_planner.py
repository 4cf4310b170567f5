# SPDX-License-Identifier: Apache-2.0
"""The planner: valid for every program, proven by running it byte by byte; small where it can be."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.compiler.programs import Machine, buffer, call, program, programs
from tests.support.models import model_bytes
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.plan.packing import Packing, Problem, first_fit, fits, pack
from tinyserve.compiler.plan.planner import check, lifetimes, plan, problem_of, solve
from tinyserve.compiler.program import MemoryPlan, Overlap, Program


@settings(max_examples=150)
@given(programs())
def test_a_plan_lets_every_kernel_read_what_was_written(random_program: Program) -> None:
    made = plan(random_program)
    assert check(random_program, made) == []
    Machine(random_program, made).run()


@settings(max_examples=150)
@given(programs(), st.data())
def test_check_refuses_whatever_the_machine_refuses(random_program: Program, data: st.DataObject) -> None:
    made = plan(random_program)
    moved = data.draw(st.sampled_from(random_program.buffers))
    place = data.draw(st.integers(0, max(0, made.arena_bytes - moved.nbytes)))
    broken = MemoryPlan({**made.offsets, moved: place}, made.lifetimes, made.arena_bytes)
    try:
        Machine(random_program, broken).run()
    except AssertionError:
        assert check(random_program, broken)


@settings(max_examples=200)
@given(programs(most_calls=5))
def test_small_programs_get_the_best_of_all_orders(random_program: Program) -> None:
    assume(len(random_program.buffers) <= 6)
    made = plan(random_program)
    packing = solve(random_program, made.lifetimes)
    assert packing.bound <= packing.total
    assert packing.total == _best_of_all_orders(random_program)


@settings(max_examples=150)
@given(programs(), st.integers(-40, 40), st.sampled_from([100, 10_000]))
def test_whether_a_total_is_found_is_known_as_by_packing(given: Program, more: int, effort: int) -> None:
    problem = problem_of(given, lifetimes(given), given.buffers)
    total = pack(problem, effort).total
    for most in (total - 1, total, total + more):
        assert fits(problem, most, effort) == (total <= most)


def _best_of_all_orders(random_program: Program) -> int:
    """Without permissions that let pieces start together the sorted order of an optimum finds it again."""
    captured: list[Problem] = []

    def capture(problem: Problem, effort: int) -> Packing:
        captured.append(problem)
        return pack(problem, effort)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinyserve.compiler.plan.planner.pack", capture)
        plan(random_program)
    (problem,) = captured
    pieces = range(len(problem.sizes))
    return min(
        max(offset + problem.sizes[p] for p, offset in enumerate(first_fit(problem, list(order))))
        for order in permutations(pieces)
    )


def test_a_plan_is_the_same_every_time() -> None:
    values = [buffer(f"b{i}", 10 + 7 * (i * 5 % 11)) for i in range(20)]
    calls = [call([values[i], values[max(0, i - 3)]], [values[i + 1]]) for i in range(19)]
    made = [plan(program(calls, values[:1], values[-1:])) for _ in range(2)]
    assert made[0].offsets == made[1].offsets


def test_an_input_that_is_read_is_overwritten() -> None:
    x, y, z = buffer("x", 100, "input"), buffer("y", 10), buffer("z", 100, "output")
    made = plan(program([call([x], [y]), call([y], [z])], [x], [z]))
    assert made.arena_bytes == 110


def test_an_input_that_is_read_later_keeps_its_bytes() -> None:
    x, y, z = buffer("x", 100, "input"), buffer("y", 100), buffer("z", 100, "output")
    calls = [call([x], [y], [Overlap(x, y)]), call([x, y], [z], [Overlap(x, z), Overlap(y, z)])]
    made = plan(program(calls, [x], [z]))
    assert made.arena_bytes == 200


def test_an_input_that_is_an_output_keeps_its_bytes() -> None:
    x, y = buffer("x", 100, "input"), buffer("y", 100, "output")
    made = plan(program([call([x], [y], [Overlap(x, y)])], [x], [x, y]))
    assert made.arena_bytes == 200


def test_a_growing_pointwise_convolution_reads_from_the_tail_of_its_output() -> None:
    x, y = buffer("x", 18432, "input"), buffer("y", 36864, "output")
    made = plan(program([call([x], [y], [Overlap(x, y, 18424)])], [x], [y]))
    assert made.arena_bytes == 36864
    assert made.offsets[x] >= 18424


def test_leads_of_a_chain_add_up_downwards() -> None:
    values = [buffer(f"v{i}", 8000) for i in range(6)]
    calls = [call([values[i]], [values[i + 1]], [Overlap(values[i], values[i + 1], 384)]) for i in range(5)]
    made = plan(program(calls, values[:1], values[-1:]))
    assert made.arena_bytes == 8000 + 5 * 384


def test_channelwise_kernels_share_exactly_their_input_or_nothing() -> None:
    x, y, z = buffer("x", 400, "input"), buffer("y", 400), buffer("z", 100, "output")
    calls = [call([x], [y], [Overlap(x, y, in_place=True)]), call([y], [z], [Overlap(y, z, in_place=True)])]
    made = plan(program(calls, [x], [z]))
    assert made.arena_bytes == 400
    assert made.offsets[x] == made.offsets[y] == made.offsets[z]


def test_scratch_is_apart_from_what_its_call_reads_and_writes() -> None:
    x, y, scratch = buffer("x", 64, "input"), buffer("y", 64, "output"), buffer("s", 32, "scratch")
    made = plan(program([call([x, scratch], [y, scratch], [Overlap(x, y)])], [x], [y]))
    assert made.arena_bytes == 96


def test_state_is_never_shared() -> None:
    x, y, state = buffer("x", 64, "input"), buffer("y", 64, "output"), buffer("h", 16, "state")
    middle = buffer("m", 8)
    calls = [call([x, state], [middle, state]), call([middle], [y])]
    assert plan(program(calls, [x], [y])).arena_bytes == 64 + 16 + 8


def test_reading_what_nobody_wrote_is_a_fault_of_the_lowering() -> None:
    ghost, y = buffer("ghost", 4), buffer("y", 4)
    with pytest.raises(AssertionError, match="ghost"):
        plan(program([call([ghost], [y])], [], [y]))


@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "most"),
    [("ad01_int8", 768), ("kws_ref_model", 8896), ("pretrainedResnet_quant", 33312), ("vww_96_int8", 36872)],
)
def test_mlperf_tiny_models_need_less_than_tflm_plans(name: str, most: int) -> None:
    compiled = compile_model(model_bytes(name), optimize_graph=False)
    assert compiled.plan.arena_bytes <= most
