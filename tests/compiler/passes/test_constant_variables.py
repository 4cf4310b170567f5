# SPDX-License-Identifier: Apache-2.0
"""Variables that are set once: constants, with the same bytes on every inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.compiler.passes.nets import applying
from tests.support import differential
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tinyserve.compiler import passes
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.passes import constant_variables
from tinyserve.compiler.passes.load import load

Q: dict[str, Any] = {"scale": 0.5, "zero_point": 3}


def handle(graph: GraphBuilder, name: str) -> TensorRef:
    made = graph.tensor((), "resource")
    graph.op("VAR_HANDLE", [], [made], container="", shared_name=name)
    return made


def read(graph: GraphBuilder, name: str, shape: tuple[int, ...]) -> TensorRef:
    value = graph.tensor(shape, "int8", **Q)
    graph.op("READ_VARIABLE", [handle(graph, name)], [value])
    return value


def assign(graph: GraphBuilder, name: str, value: TensorRef) -> None:
    graph.op("ASSIGN_VARIABLE", [handle(graph, name), value], [])


def random_case(seed: int, *, kept: str = "") -> Case:
    """Two to four variables, set once and added up; ``kept`` says why the first one is no constant."""
    r = Random(seed, 210)
    shape, names = r.shape(r.integer(1, 3), 1, 4), "abcd"[: r.integer(2, 4)]
    model = ModelBuilder()
    main = model.graph()
    total = x = main.input(shape, "int8", **Q)
    early = read(main, names[0], shape) if kept == "read before" else None
    main.op("CALL_ONCE", [], [], init_subgraph_index=1)
    for name in names:
        value, longer = read(main, name, shape), main.tensor(shape, "int8", **Q)
        main.op("ADD", [total, value], [longer])
        total = longer
    if kept == "assigned":
        assign(main, names[0], total)
    main.output(total, *([] if early is None else [early]))
    once = model.graph()
    for name in names:
        assign(once, name, once.constant(r.values(shape, "int8"), **Q))
    return Case(f"{kept} #{seed}", model.build(), r.samples([x], 4))


def test_variables_that_are_set_once_are_constants_and_bytes_stay(tmp_path: Path) -> None:
    cases = [random_case(seed) for seed in range(12)]
    prepare, changes = applying(constant_variables.run)
    differential.check(cases, tmp_path, at_least=12, prepare=prepare)
    assert min(changes) >= 2 * 2 + 1  # each read, each assignment, and the CALL_ONCE


@pytest.mark.parametrize("kept", ["assigned", "read before"])
def test_others_stay_variables_and_bytes_stay(tmp_path: Path, kept: str) -> None:
    cases = [random_case(seed, kept=kept) for seed in range(8)]
    left: list[list[str]] = []

    def prepare(model: Model) -> None:
        passes.optimize(model)
        left.append([op.name for op in model.main.nodes])

    differential.check(cases, tmp_path, at_least=8, prepare=prepare)
    assert all({"CALL_ONCE", "READ_VARIABLE"} <= set(names) for names in left)


def test_nothing_is_left_of_variables_that_are_constants() -> None:
    model = load(random_case(1).model)
    passes.optimize(model)
    assert {op.name for op in model.main.nodes} == {"ADD"}
    assert model.graphs[1].nodes == []


def test_a_value_of_another_shape_than_is_read_stays() -> None:
    model = load(random_case(2).model)
    reads = [op for op in model.main.nodes if op.name == "READ_VARIABLE"]
    reads[0].outputs[0].shape = (*reads[0].outputs[0].shape, 1)
    constant_variables.run(model.main, model)
    assert reads[0] in model.main.nodes and reads[1] not in model.main.nodes


def test_weights_that_a_variable_holds_are_known_when_the_model_is_checked() -> None:
    built = ModelBuilder()
    main, once = built.graph(), built.graph()
    x, y = main.input((1, 4), "float32"), main.tensor((1, 3), "float32")
    main.op("CALL_ONCE", [], [], init_subgraph_index=1)
    weights = main.tensor((3, 4), "float32")
    main.op("READ_VARIABLE", [handle(main, "w")], [weights])
    main.op("FULLY_CONNECTED", [x, weights, None], [y])
    main.output(y)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    assign(once, "w", once.constant(values))
    model = load(built.build())
    passes.optimize(model)
    (dense,) = model.main.nodes
    assert dense.inputs[1] is not None and dense.inputs[1].data is not None
    assert np.array_equal(dense.inputs[1].data, values)
