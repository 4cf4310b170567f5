# SPDX-License-Identifier: Apache-2.0
"""Variables become inputs and outputs, and variables again."""

from __future__ import annotations

import numpy as np
import pytest

from tinyserve.compiler.graph import reader

pytest.importorskip("ai_edge_litert")

from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.convert.tflite import signature, state
from tinyserve.convert.tflite.signature import Signature
from tinyserve.convert.tflite.state import Variable
from tinyserve.convert.worker import runtimes


def accumulator() -> bytes:
    """y = x + previous y, whose state is its last input and output."""
    writer = GraphWriter("accumulator")
    x, before = (writer.tensor(name, (1, 3), "float32") for name in ("x", "before"))
    behind = writer.tensor("behind", (1, 3), "float32")
    writer.builtin("ADD", "AddOptions", [x, before], behind)
    return writer.build([x, before], [behind, behind])


def steps(data: bytes, samples: np.ndarray) -> np.ndarray:
    run = runtimes.runner("litert", data)
    return np.concatenate([np.array(run([sample[None]])[0]) for sample in samples])


def test_a_value_lives_across_inferences_from_its_initial_value_on() -> None:
    initial = np.array([[1.0, 2.0, -3.0]], np.float32)
    data = state.lowered(accumulator(), [Variable("", "sum", initial)])
    samples = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(steps(data, samples), np.cumsum(samples, axis=0) + initial)


def test_lifting_gives_back_inputs_outputs_and_initial_values() -> None:
    initial = np.array([[1.0, 2.0, -3.0]], np.float32)
    data, variables = state.lifted(state.lowered(accumulator(), [Variable("c", "sum", initial)]))
    assert [(v.container, v.name, v.initial.tolist()) for v in variables] == [("c", "sum", initial.tolist())]
    read = reader.read(data)
    assert len(read.graphs) == 1
    assert [op.name for op in read.main.nodes] == ["ADD"]
    assert (len(read.main.inputs), len(read.main.outputs)) == (2, 2)


def test_inputs_and_outputs_follow_the_signature_and_take_the_sources_names() -> None:
    writer = GraphWriter("two")
    a, b = (writer.tensor(name, (1, size), "float32") for name, size in (("a", 2), ("b", 3)))
    c, d = (writer.tensor(name, (1, size), "float32") for name, size in (("c", 2), ("d", 3)))
    writer.builtin("NEG", "", [a], c)
    writer.builtin("NEG", "", [b], d)
    data = signature.named(writer.build([a, b], [c, d]), Signature(("i1", "i0"), ("o1", "o0")))
    made = signature.ordered(data, Signature(("i0", "i1"), ("o0", "o1")), Signature(("x", "y"), ("p", "q")))
    main = reader.read(made).main
    assert [(name, t.name) for name, t in zip(main.input_names, main.inputs, strict=True)] == [
        ("x", "b"),
        ("y", "a"),
    ]
    assert [(name, t.name) for name, t in zip(main.output_names, main.outputs, strict=True)] == [
        ("p", "d"),
        ("q", "c"),
    ]


def test_names_that_come_twice_are_told_apart() -> None:
    assert signature.unique(["x", "x", "x_1", "y"]) == ("x", "x_2", "x_1", "y")
