# SPDX-License-Identifier: Apache-2.0
"""Layers of one kernel and the same parameters share code, wherever their operands lie."""

from __future__ import annotations

import numpy as np

from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.emit.sharing import sharing
from tinyserve.compiler.host.model import HostModel


def product(graph: GraphBuilder, a: TensorRef, b: TensorRef, activation: str = "NONE") -> TensorRef:
    y = graph.tensor(a.shape, "float32")
    graph.op("MUL", [a, b], [y], activation=activation)
    return y


def products(activation: str = "NONE") -> Compiled:
    """Four products of two values, one of them with ``activation``."""
    builder = ModelBuilder()
    graph = builder.graph()
    a, b = graph.input((1, 7), "float32"), graph.input((1, 7), "float32")
    squares = [product(graph, a, a), product(graph, b, b, activation)]
    graph.output(*squares, product(graph, b, a), product(graph, squares[0], squares[1]))
    return compile_model(builder.build(), optimize_graph=False)


def test_operands_that_are_one_value_in_one_layer_and_two_in_another() -> None:
    compiled = products()
    a, b = np.linspace(-2, 2, 7, dtype=np.float32)[None], np.linspace(3, -1, 7, dtype=np.float32)[None]
    got = HostModel(compiled).run([a, b])
    for found, expected in zip(got, [a * a, b * b, b * a, a * a * (b * b)], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(set(sharing(compiled.program, compiled.plan).kernels.values())) == 1


def test_other_parameters_are_another_kernel() -> None:
    compiled = products("RELU")
    shared = sharing(compiled.program, compiled.plan).kernels
    assert compiled.program.calls[1] not in shared and len(shared) == 3
