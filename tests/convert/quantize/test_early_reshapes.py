# SPDX-License-Identifier: Apache-2.0
"""Reshapes stand right behind what they reshape, and behind the arithmetic of a value with itself; no value
changes, nothing stays in float, and the quantizer takes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.graph.reader import read
from tinyserve.convert import convert
from tinyserve.convert.quantize.early_reshapes import in_front
from tinyserve.convert.tflite import facts
from tinyserve.convert.worker import runtimes


def _joined_and_reshaped(*, first: bool = False) -> bytes:
    """y = relu(x) and x side by side; z = 2 * the relu's result, in another shape, and in another still."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 6), "float32")
    h = graph.tensor((1, 6), "float32")
    y = graph.tensor((1, 12), "float32")
    shapes = [(1, 2, 3), (3, 2), (6, 1)]
    made = [graph.tensor(shape, "float32") for shape in shapes]
    targets = [graph.constant(np.array(shape, np.int32)) for shape in shapes]
    z = graph.tensor((3, 2), "float32")
    graph.op("RELU", [x], [h])
    if first:
        graph.op("RESHAPE", [h, targets[0]], [made[0]])
        graph.op("RESHAPE", [made[0], targets[1]], [made[1]])
        graph.op("RESHAPE", [x, targets[2]], [made[2]])
    graph.op("CONCATENATION", [h, x], [y], axis=1)
    if not first:
        graph.op("RESHAPE", [h, targets[0]], [made[0]])
        graph.op("RESHAPE", [made[0], targets[1]], [made[1]])
        graph.op("RESHAPE", [x, targets[2]], [made[2]])
    graph.op("MUL", [made[1], graph.constant(np.array(2, np.float32))], [z])
    graph.output(y)
    graph.output(z)
    graph.output(made[2])
    return model.build()


def test_they_come_before_what_else_reads_the_value() -> None:
    data = _joined_and_reshaped()
    moved = in_front(data)
    names = [node.name for node in read(moved).main.nodes]
    assert names == ["RESHAPE", "RELU", "RESHAPE", "RESHAPE", "CONCATENATION", "MUL"]
    sample = [np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 6)]
    for wanted, got in zip(*(runtimes.runner("litert", one)(sample) for one in (data, moved)), strict=True):
        np.testing.assert_array_equal(wanted, got)


def test_a_model_in_this_order_is_left_alone() -> None:
    data = in_front(_joined_and_reshaped(first=True))
    assert in_front(data) is data


def _squared(parts: bool) -> bytes:
    """The square of a value in another shape, or the product of two parts of it."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "float32")
    halves = [graph.tensor((1, 4), "float32") for _ in range(2)]
    graph.op("SPLIT", [graph.constant(np.array(1, np.int32)), x], halves, num_splits=2)
    reshaped = [graph.tensor((2, 2), "float32") for _ in range(2)]
    again = graph.tensor((1, 2, 2), "float32")
    target = graph.constant(np.array([2, 2], np.int32))
    for half, made in zip(halves, reshaped, strict=True):
        graph.op("RESHAPE", [half, target], [made])
    y, z = graph.tensor((2, 2), "float32"), graph.tensor((1, 2, 2), "float32")
    graph.op("RESHAPE", [reshaped[0], graph.constant(np.array([1, 2, 2], np.int32))], [again])
    graph.op("MUL", [reshaped[0], reshaped[1 if parts else 0]], [y])
    graph.op("MUL", [again, again], [z])
    graph.output(y)
    graph.output(z)
    return model.build()


@pytest.mark.parametrize("parts", [False, True])
def test_arithmetic_of_a_value_with_itself_is_in_front_of_them(parts: bool) -> None:
    data = _squared(parts)
    moved = in_front(data)
    makers = {out.name: node.name for node in read(moved).main.nodes for out in node.outputs}
    for node in read(moved).main.nodes:
        if node.name == "MUL":
            assert {makers[one.name] for one in node.inputs if one is not None} == {"SPLIT"}
    sample = [np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)]
    for wanted, got in zip(*(runtimes.runner("litert", one)(sample) for one in (data, moved)), strict=True):
        np.testing.assert_array_equal(wanted, got)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [False, True])
def test_the_quantizer_takes_squares_of_reshaped_values(parts: bool, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(_squared(parts))
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(3).normal(size=(60, 8)).astype(np.float32))
    made = convert(tmp_path / "m.tflite", representative=tmp_path / "d.npz", output=tmp_path / "out")
    assert all(one.sqnr_db is not None and one.sqnr_db > 25 for one in made.manifest.accuracy)


@pytest.mark.slow
def test_nothing_behind_them_stays_in_float(tmp_path: Path) -> None:
    """As it is where the last state of a recurrent layer, or a skip connection, goes into a head."""
    (tmp_path / "m.tflite").write_bytes(_joined_and_reshaped())
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(3).normal(size=(60, 6)).astype(np.float32))
    made = convert(tmp_path / "m.tflite", representative=tmp_path / "d.npz", output=tmp_path / "out")
    assert facts.left_in_float(facts.as_compiled(made.model_bytes())) == []


@pytest.mark.parametrize("name", ["MUL", "SUB"])
@pytest.mark.parametrize(
    "shapes",
    [((4, 1), (1, 4)), ((1, 4, 1), (4,)), ((2, 2), (2, 2)), ((2, 2), (4, 1, 1)), ((1, 4), (1, 1, 4))],
)
def test_a_value_in_two_shapes_is_broadcast_as_it_was(
    name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    """Outer products and differences, too: what is computed in the shape that both had is another model."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "float32")
    h = graph.tensor((1, 4), "float32")
    graph.op("RELU", [x], [h])
    made = [graph.tensor(shape, "float32") for shape in shapes]
    for shape, one in zip(shapes, made, strict=True):
        graph.op("RESHAPE", [h, graph.constant(np.array(shape, np.int32))], [one])
    y = graph.tensor(np.broadcast_shapes(*shapes), "float32")
    graph.op(name, made, [y])
    graph.output(y)
    data = model.build()
    sample = [np.array([[1, -2, 3, 4]], np.float32)]
    wanted, got = (runtimes.runner("litert", one)(sample)[0] for one in (data, in_front(data)))
    np.testing.assert_array_equal(wanted, got)
