# SPDX-License-Identifier: Apache-2.0
"""IF, WHILE, CALL_ONCE and resource variables against TFLM, and the C that the emitter writes for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.errors import ModelError, UnsupportedError

CASES = 105
DTYPES = ["int8", "int32", "float32"]


def values(graph: GraphBuilder, count: int, shape: tuple[int, ...], dtype: str) -> list[TensorRef]:
    return [graph.input(shape, dtype, **quantization(dtype)) for _ in range(count)]


def quantization(dtype: str) -> dict[str, Any]:
    return {"scale": 0.5, "zero_point": 3} if dtype == "int8" else {}


def add_layers(graph: GraphBuilder, r: Random, known: list[TensorRef]) -> None:
    """A few ADDs over what is known, the constant of each another one."""
    first = known[0]
    for _ in range(r.integer(0, 3)):
        other = r.choice((r.choice(known), None))
        if other is None:
            other = graph.constant(r.values(first.shape, first.dtype), **quantization(first.dtype))
        made = graph.tensor(first.shape, first.dtype, **quantization(first.dtype))
        graph.op("ADD", [r.choice(known), other], [made])
        known.append(made)


def subgraph(model: ModelBuilder, r: Random, count: int, shape: tuple[int, ...], dtype: str) -> None:
    """Outputs are computed values, inputs passed through, perhaps swapped, or one value twice."""
    graph = model.graph()
    known = values(graph, count, shape, dtype)
    add_layers(graph, r, known)
    graph.output(*(r.choice(known) for _ in range(count)))


def branch(index: int, dtype: str) -> Case:
    r = Random(index, 90)
    shape, count = r.shape(r.integer(1, 3), 1, 4), r.integer(1, 3)
    model = ModelBuilder()
    main = model.graph()
    flag = main.input((1,), "bool")
    inputs = values(main, count, shape, dtype)
    known = list(inputs)
    add_layers(main, r, known)
    made = [main.tensor(shape, dtype, **quantization(dtype)) for _ in range(count)]
    main.op("IF", [flag, *known[-count:]], made, then_subgraph_index=1, else_subgraph_index=2)
    add_layers(main, r, made)
    main.output(*made)
    subgraph(model, r, count, shape, dtype)
    subgraph(model, r, count, shape, dtype)
    samples = r.samples([flag, *inputs], 4)
    samples[0][0], samples[1][0] = np.array([True]), np.array([False])
    return Case(f"IF {dtype} #{index}", model.build(), samples)


def loop(index: int, dtype: str) -> Case:
    """for (i = start; i < limit; i++), with values that the body adds up, swaps or keeps."""
    r = Random(index, 91)
    shape, count = r.shape(r.integer(1, 3), 1, 4), r.integer(1, 3)
    model = ModelBuilder()
    main = model.graph()
    start = main.input((1,), "int32")
    inputs = values(main, count, shape, dtype)
    made = [main.tensor((1,), "int32")]
    made += [main.tensor(shape, dtype, **quantization(dtype)) for _ in range(count)]
    main.op("WHILE", [start, *inputs], made, cond_subgraph_index=1, body_subgraph_index=2)
    main.output(*made)
    condition = model.graph()
    counter = condition.input((1,), "int32")
    values(condition, count, shape, dtype)
    again = condition.tensor((1,), "bool")
    condition.op("LESS", [counter, condition.constant(np.array([r.integer(0, 6)], np.int32))], [again])
    condition.output(again)
    body = model.graph()
    counter, after = body.input((1,), "int32"), body.tensor((1,), "int32")
    known = values(body, count, shape, dtype)
    body.op("ADD", [counter, body.constant(np.array([1], np.int32))], [after])
    add_layers(body, r, known)
    body.output(after, *(r.choice(known) for _ in range(count)))
    samples = r.samples(inputs, 3)
    return Case(
        f"WHILE {dtype} #{index}",
        model.build(),
        [[np.array([r.integer(-2, 7)], np.int32), *sample] for sample in samples],
    )


def running_sum(index: int, dtype: str, once: bool) -> Case:
    """A variable to which every inference adds its input; ``once`` gives it an initial value."""
    r = Random(index, 92)
    shape = r.shape(r.integer(1, 3), 1, 4)
    model = ModelBuilder()
    main = model.graph()
    x = main.input(shape, dtype, **quantization(dtype))
    if once:
        main.op("CALL_ONCE", [], [], init_subgraph_index=1)
    handle, old = main.tensor((), "resource"), main.tensor(shape, dtype, **quantization(dtype))
    new = main.tensor(shape, dtype, **quantization(dtype))
    main.op("VAR_HANDLE", [], [handle], container="", shared_name="sum")
    main.op("READ_VARIABLE", [handle], [old])
    main.op("ADD", [x, old], [new])
    main.op("ASSIGN_VARIABLE", [handle, new], [])
    main.output(new if r.chance(0.5) else old)
    if once:
        first = model.graph()
        handle = first.tensor((), "resource")
        first.op("VAR_HANDLE", [], [handle], container="", shared_name="sum")
        initial = first.constant(r.values(shape, dtype), **quantization(dtype))
        first.op("ASSIGN_VARIABLE", [handle, initial], [])
    return Case(f"variable {dtype} once={once} #{index}", model.build(), r.samples([x], 4))


@pytest.mark.parametrize("dtype", DTYPES)
def test_if_runs_one_of_two_subgraphs(dtype: str, tmp_path: Path) -> None:
    check([branch(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", DTYPES)
def test_while_runs_its_body_until_the_condition_fails(dtype: str, tmp_path: Path) -> None:
    check([loop(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("once", [False, True])
def test_variables_live_across_inferences(dtype: str, once: bool, tmp_path: Path) -> None:
    check([running_sum(index, dtype, once) for index in range(CASES)], tmp_path, at_least=100)


def nested_loop() -> tuple[bytes, list[np.ndarray[tuple[int, ...], np.dtype[np.int32]]]]:
    """A loop whose body runs another loop: x is doubled n times, m times."""
    model = ModelBuilder()
    main = model.graph()
    counts = [main.input((1,), "int32") for _ in range(2)]
    x = main.input((3,), "int32")
    made = [main.tensor(ref.shape, "int32") for ref in (*counts, x)]
    main.op("WHILE", [*counts, x], made, cond_subgraph_index=1, body_subgraph_index=2)
    main.output(*made)
    for inner in (False, True):
        condition = model.graph()
        outer_count, inner_count, _ = (condition.input(ref.shape, "int32") for ref in made)
        again = condition.tensor((1,), "bool")
        zero = condition.constant(np.array([0], np.int32))
        condition.op("LESS", [zero, inner_count if inner else outer_count], [again])
        condition.output(again)
        body = model.graph()
        outer_count, inner_count, value = (body.input(ref.shape, "int32") for ref in made)
        minus = body.constant(np.array([-1], np.int32))
        fewer = body.tensor((1,), "int32")
        body.op("ADD", [inner_count if inner else outer_count, minus], [fewer])
        doubled = body.tensor((3,), "int32")
        if inner:
            body.op("ADD", [value, value], [doubled])
            body.output(outer_count, fewer, doubled)
        else:
            after = [body.tensor(ref.shape, "int32") for ref in made]
            body.op("WHILE", [fewer, inner_count, value], after, cond_subgraph_index=3, body_subgraph_index=4)
            body.output(after[0], inner_count, after[2])
    return model.build(), [np.array(v, np.int32) for v in ([3], [2], [1, -5, 7])]


def test_loops_nest_and_the_emitted_c_runs_them_in_one_arena() -> None:
    data, inputs = nested_loop()
    tflm = Tflm(data)
    tflm.invoke(inputs)
    outputs = HostModel(compile_model(data), sanitize=True).run(inputs)
    assert outputs[2].tolist() == [64, -320, 448]
    assert [array.tolist() for array in outputs] == [tflm.output(index).tolist() for index in range(3)]


def test_a_reset_brings_variables_back_to_what_call_once_assigns() -> None:
    case = running_sum(1, "int32", True)
    host = HostModel(compile_model(case.model))
    first = host.run(case.samples[0])[0].tolist()
    assert host.run(case.samples[0])[0].tolist() != first
    host.reset()
    assert host.run(case.samples[0])[0].tolist() == first


def test_each_subgraph_is_one_function_of_the_emitted_c() -> None:
    sources = compile_model(nested_loop()[0]).sources
    text = str(sources.files["model.c"])
    for name in ("sub1", "sub2", "sub3", "sub4"):
        assert text.count(f"static void run_{name}(void) {{") == 1


def test_a_subgraph_with_other_inputs_than_its_caller_gives_is_a_model_error() -> None:
    model = ModelBuilder()
    main = model.graph()
    flag, x, y = main.input((1,), "bool"), main.input((2,), "int32"), main.tensor((2,), "int32")
    main.op("IF", [flag, x], [y], then_subgraph_index=1, else_subgraph_index=1)
    main.output(y)
    inner = model.graph()
    inner.output(inner.input((3,), "int32"))
    with pytest.raises(ModelError, match="is run with int32"):
        compile_model(model.build())


def flagged_loop(condition: str) -> ModelBuilder:
    """Doubles a value while a flag, which each turn negates, is what ``condition`` makes of it."""
    model = ModelBuilder()
    main = model.graph()
    inputs = [main.input((1,), "bool"), main.input((2,), "int32")]
    outputs = [main.tensor((1,), "bool"), main.tensor((2,), "int32")]
    main.op("WHILE", inputs, outputs, cond_subgraph_index=1, body_subgraph_index=2)
    main.output(*outputs)
    test, body = model.graph(), model.graph()
    flag, _ = test.input((1,), "bool"), test.input((2,), "int32")
    if condition == "reshaped":
        scalar = test.tensor((), "bool")
        test.op("RESHAPE", [flag], [scalar], new_shape=[])
        test.output(scalar)
    else:
        test.output(flag if condition == "the flag" else test.constant(np.array([condition == "true"])))
    flag, value = body.input((1,), "bool"), body.input((2,), "int32")
    made = [body.tensor((1,), "bool"), body.tensor((2,), "int32")]
    body.op("LOGICAL_NOT", [flag], made[:1])
    body.op("ADD", [value, value], made[1:])
    body.output(*made)
    return model


def test_conditions_may_be_loop_values_or_constantly_false(tmp_path: Path) -> None:
    samples = [[np.array([flag]), np.array([3, 4], np.int32)] for flag in (True, False)]
    kinds = ["the flag", "reshaped", "false"]
    check([Case(kind, flagged_loop(kind).build(), samples) for kind in kinds], tmp_path, at_least=3)


def test_a_loop_without_end_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="always true"):
        compile_model(flagged_loop("true").build())
