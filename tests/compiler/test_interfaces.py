# SPDX-License-Identifier: Apache-2.0
"""What inputs and outputs of a model may be: the generated C against TFLM, inference after inference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel

Q = {"scale": 0.5, "zero_point": 3}
SHAPE = (2, 3)


def add(graph: GraphBuilder, left: TensorRef, right: TensorRef) -> TensorRef:
    total = graph.tensor(left.shape, left.dtype, **(Q if left.dtype == "int8" else {}))
    graph.op("ADD", [left, right], [total])
    return total


def reshape(graph: GraphBuilder, value: TensorRef) -> TensorRef:
    flat = graph.tensor((1, int(np.prod(value.shape))), value.dtype)
    graph.op("RESHAPE", [value], [flat], new_shape=flat.shape)
    return flat


def numbers(graph: GraphBuilder) -> TensorRef:
    return graph.constant(np.arange(6, dtype=np.float32).reshape(SHAPE) - 2)


def several_types(graph: GraphBuilder) -> list[TensorRef]:
    pairs = [[graph.input((n, 3), kind, **q) for _ in range(2)]
             for n, kind, q in ((1, "int8", Q), (2, "float32", {}), (3, "int32", {}))]  # fmt: skip
    return [add(graph, *pair) for pair in reversed(pairs)]


def a_constant(graph: GraphBuilder) -> list[TensorRef]:
    x, constant = graph.input(SHAPE, "float32"), numbers(graph)
    return [constant, add(graph, x, constant)]


def what_constants_make(graph: GraphBuilder) -> list[TensorRef]:
    x = graph.input(SHAPE, "float32")
    return [reshape(graph, numbers(graph)), add(graph, x, x)]


def an_input(graph: GraphBuilder) -> list[TensorRef]:
    x, y = graph.input(SHAPE, "float32"), graph.input(SHAPE, "float32")
    return [add(graph, x, y), x]


def an_input_and_no_operator(graph: GraphBuilder) -> list[TensorRef]:
    return [graph.input(SHAPE, "float32")]


def inputs_changing_places(graph: GraphBuilder) -> list[TensorRef]:
    x, y = graph.input(SHAPE, "float32"), graph.input(SHAPE, "float32")
    return [y, add(graph, x, y), x]


def an_input_in_another_shape(graph: GraphBuilder) -> list[TensorRef]:
    x = graph.input(SHAPE, "float32")
    return [reshape(graph, x), add(graph, x, x)]


def one_tensor_twice(graph: GraphBuilder) -> list[TensorRef]:
    x = graph.input(SHAPE, "float32")
    total = add(graph, x, x)
    return [total, total]


def one_tensor_in_two_shapes(graph: GraphBuilder) -> list[TensorRef]:
    x = graph.input(SHAPE, "float32")
    total = add(graph, x, x)
    return [total, reshape(graph, total), reshape(graph, total)]


def a_constant_twice(graph: GraphBuilder) -> list[TensorRef]:
    x, constant = graph.input(SHAPE, "float32"), numbers(graph)
    return [constant, add(graph, x, constant), constant]


def what_others_read(graph: GraphBuilder) -> list[TensorRef]:
    x = graph.input(SHAPE, "float32")
    first = add(graph, x, x)
    second = add(graph, first, x)
    return [add(graph, second, first), first, second]


def unused_inputs(graph: GraphBuilder) -> list[TensorRef]:
    graph.input((5,), "int32")
    x = graph.input(SHAPE, "float32")
    graph.input((7, 2), "int8", **Q)
    return [add(graph, x, x)]


def nothing_but_unused_inputs(graph: GraphBuilder) -> list[TensorRef]:
    graph.input(SHAPE, "float32")
    return [numbers(graph)]


INTERFACES = [
    several_types, a_constant, what_constants_make, an_input, an_input_and_no_operator,
    inputs_changing_places, an_input_in_another_shape, one_tensor_twice, one_tensor_in_two_shapes,
    a_constant_twice, what_others_read, unused_inputs, nothing_but_unused_inputs,
]  # fmt: skip


@pytest.mark.parametrize("build", INTERFACES)
def test_outputs_equal_tflm(build: Callable[[GraphBuilder], list[TensorRef]]) -> None:
    r, model = Random(0, 120), ModelBuilder()
    graph = model.graph()
    outputs = build(graph)
    graph.output(*outputs)
    data = model.build()
    compiled = compile_model(data)
    host, tflm = HostModel(compiled), Tflm(data)
    for _ in range(3):
        given = [r.values(tensor.shape, tensor.dtype.value) for tensor in compiled.program.input_tensors]
        tflm.invoke(given)
        expected = [tflm.output(index) for index in range(len(outputs))]
        for want, have in zip(expected, host.run(given), strict=True):
            np.testing.assert_array_equal(have, want.reshape(have.shape))
