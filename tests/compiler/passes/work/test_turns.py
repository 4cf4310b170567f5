# SPDX-License-Identifier: Apache-2.0
"""How often loops turn, against how often the interpreter runs them, and the multiply-accumulates of that."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.passes.work.macs import open_loops
from tinyserve.compiler.passes.work.turns import MOST_TURNS

UNITS, MACS = 3, 9
COUNTER = (1,)


def scalar(graph: GraphBuilder, value: int) -> TensorRef:
    return graph.constant(np.array([value], np.int32))


def dense(graph: GraphBuilder, value: TensorRef) -> TensorRef:
    made = graph.tensor((1, UNITS), "float32")
    weights = graph.constant(np.eye(UNITS, dtype=np.float32))
    graph.op("FULLY_CONNECTED", [value, weights, None], [made])
    return made


def loop(
    start: int | None, limit: int, stride: int, compare: str = "LESS", second: tuple[int, int] | None = None
) -> bytes:
    """for (i = start; compare(i, limit); i += stride) a dense layer; ``start`` None is an input. ``second``:
    start and limit of another counter, which both must keep to. The count of turns is the second output."""
    model = ModelBuilder()
    main = model.graph()
    x = main.input((1, UNITS), "float32")
    first = main.input(COUNTER, "int32") if start is None else scalar(main, start)
    starts = [first, scalar(main, second[0] if second else 0), scalar(main, 0), x]
    made = [main.tensor(COUNTER, "int32") for _ in range(3)] + [main.tensor((1, UNITS), "float32")]
    main.op("WHILE", starts, made, cond_subgraph_index=1, body_subgraph_index=2)
    main.output(made[3], made[2])
    condition = model.graph()
    i, j, _ = (condition.input(COUNTER, "int32") for _ in range(3))
    condition.input((1, UNITS), "float32")
    again = condition.tensor(COUNTER, "bool")
    condition.op(compare, [i, scalar(condition, limit)], [again])
    if second:
        inside, both = condition.tensor(COUNTER, "bool"), condition.tensor(COUNTER, "bool")
        condition.op("LESS", [j, scalar(condition, second[1])], [inside])
        condition.op("LOGICAL_AND", [again, inside], [both])
        again = both
    condition.output(again)
    body = model.graph()
    counters = [body.input(COUNTER, "int32") for _ in range(3)]
    value = body.input((1, UNITS), "float32")
    after = [body.tensor(COUNTER, "int32") for _ in range(3)]
    for counter, plus, result in zip(counters, (stride, 1, 1), after, strict=True):
        body.op("ADD", [counter, scalar(body, plus)], [result])
    body.output(*after, dense(body, value))
    return model.build()


def ran(data: bytes) -> int:
    """How often the interpreter ran the body."""
    tflm = Tflm(data)
    tflm.invoke([np.ones((1, UNITS), np.float32)])
    return int(tflm.output(1)[0])


@pytest.mark.parametrize("seed", range(24))
def test_a_loop_counts_as_often_as_it_turns(seed: int) -> None:
    r = Random(seed, 4)
    compare, stride = r.choice((("LESS", 1), ("LESS_EQUAL", 2), ("GREATER", -1), ("NOT_EQUAL", 1)))
    start = r.integer(-5, 5)
    limit = start + stride * r.integer(0, 30)
    second = (r.integer(-3, 3), r.integer(0, 12)) if r.chance(0.5) else None
    data = loop(start, limit, stride, compare, second)
    turns = ran(data)
    compiled = compile_model(data)
    assert compiled.report.macs_before == compiled.report.macs_after == turns * MACS
    assert sum(call.macs for call in compiled.program.calls) == turns * MACS
    assert compiled.report.open_loops == ()


@pytest.mark.parametrize("start", [None, 0])
def test_a_loop_that_data_or_nobody_ends_counts_one_turn_and_is_named(start: int | None) -> None:
    data = loop(start, 2 * MOST_TURNS, 1)
    compiled = compile_model(data)
    assert compiled.report.macs_after == MACS
    assert len(compiled.report.open_loops) == 1
    assert open_loops(load(data)) == compiled.report.open_loops


def test_of_two_branches_the_larger_one_counts() -> None:
    model = ModelBuilder()
    main = model.graph()
    flag, x = main.input((1,), "bool"), main.input((1, UNITS), "float32")
    made = main.tensor((1, UNITS), "float32")
    main.op("IF", [flag, x], [made], then_subgraph_index=1, else_subgraph_index=2)
    main.output(made)
    for layers in (1, 2):
        branch = model.graph()
        value = branch.input((1, UNITS), "float32")
        for _ in range(layers):
            value = dense(branch, value)
        branch.output(value)
    compiled = compile_model(model.build())
    assert compiled.report.macs_after == 2 * MACS == sum(call.macs for call in compiled.program.calls)
