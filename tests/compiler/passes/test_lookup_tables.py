# SPDX-License-Identifier: Apache-2.0
"""Chains of functions of one int8 value become tables that give what TFLM's chains give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import differential
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tinyserve.compiler import passes
from tinyserve.compiler.passes import lookup_tables
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.passes.lookup_tables import rounded_steps


def softplus(graph: GraphBuilder, x: TensorRef, shape: tuple[int, ...]) -> TensorRef:
    steps = [graph.tensor(shape, "float32") for _ in range(3)]
    graph.op("EXP", [x], [steps[0]])
    graph.op("ADD", [steps[0], graph.constant(np.ones(1, np.float32))], [steps[1]])
    graph.op("LOG", [steps[1]], [steps[2]])
    return steps[2]


def mish(graph: GraphBuilder, x: TensorRef, shape: tuple[int, ...]) -> TensorRef:
    gate, result = graph.tensor(shape, "float32"), graph.tensor(shape, "float32")
    graph.op("TANH", [softplus(graph, x, shape)], [gate])
    graph.op("MUL", [x, gate], [result])
    return result


def selu(graph: GraphBuilder, x: TensorRef, shape: tuple[int, ...]) -> TensorRef:
    positive = graph.tensor(shape, "bool")
    low, high, result = (graph.tensor(shape, "float32") for _ in range(3))
    graph.op("GREATER", [x, graph.constant(np.zeros(1, np.float32))], [positive])
    graph.op("ELU", [x], [low])
    graph.op("MUL", [x, graph.constant(np.float32([1.0507]))], [high])
    graph.op("SELECT_V2", [positive, high, low], [result])
    return result


def case(seed: int, make: object, neighbour: bool = False) -> Case:
    rng = np.random.default_rng(seed)
    shape = (1, 256)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input(
        shape, "int8", scale=float(rng.uniform(0.01, 0.06)), zero_point=int(rng.integers(-60, 60))
    )
    real = graph.tensor(shape, "float32")
    graph.op("DEQUANTIZE", [x], [real])
    result = make(graph, real, shape)  # type: ignore[operator]
    if neighbour:  # a constant that differs from element to element: no function of the value alone
        moved = graph.tensor(shape, "float32")
        graph.op("ADD", [result, graph.constant(np.arange(256, dtype=np.float32).reshape(shape))], [moved])
        result = moved
    y = graph.tensor(shape, "int8", scale=0.031, zero_point=int(rng.integers(-128, 20)))
    graph.op("QUANTIZE", [result], [y])
    graph.output(y)
    return Case(f"{seed}", model.build(), [[np.arange(-128, 128, dtype=np.int8).reshape(shape)]])


@pytest.mark.parametrize("make", [softplus, mish, selu])
def test_a_chain_is_one_table_with_the_bytes_of_tflm(make: object, tmp_path: Path) -> None:
    cases = [case(seed, make) for seed in range(12)]
    differential.check(cases, tmp_path, at_least=12, prepare=passes.optimize)
    model = load(cases[0].model)
    passes.optimize(model)
    assert [op.name for op in model.main.nodes] == [lookup_tables.TABLE]


def test_what_is_no_function_of_the_value_alone_stays(tmp_path: Path) -> None:
    model = load(case(0, softplus, neighbour=True).model)
    assert lookup_tables.run(model.main, model) == 0


def test_halves_round_away_from_zero_and_what_is_just_below_a_half_does_not() -> None:
    values = np.array([0.49999997, -0.49999997, 0.5, -0.5, 2.5, -2.5, 1.4999999, 3e38], dtype=np.float32)
    assert rounded_steps(values, np.float32(1)).tolist() == [0, 0, 1, -1, 3, -3, 1, 1_000_000]
