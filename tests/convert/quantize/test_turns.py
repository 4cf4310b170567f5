# SPDX-License-Identifier: Apache-2.0
"""The turns of unrolled recurrent layers are found by what they compute, and have one range per part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.graphs.recurrent import GATES, Unrolled, any_layer
from tinyserve.compiler.graph import objects
from tinyserve.convert.quantize import turns


def found(data: bytes) -> tuple[Any, list[list[int]]]:
    model = objects.unpack(data)
    return model.subgraphs[0], turns.parts(model, model.subgraphs[0])


@pytest.mark.parametrize("kind", GATES)
def test_every_turn_has_its_part_of_a_layer(kind: str) -> None:
    """All but the first turn, which has no state to read."""
    r = Random(17, 3)
    for _ in range(3):
        layer = any_layer(r, kind=kind, dtype="float32")
        graph, parts = found(layer.model())
        computed = sum(len(one.outputs) for one in graph.operators)
        assert sum(map(len, parts)) >= computed * (layer.turns - 2) / layer.turns, layer
        assert len(parts) < computed / layer.turns + 12, layer
        tops = [max(sum(index in one.outputs for index in part) for one in graph.operators) for part in parts]
        assert all(top <= 1 or top == layer.turns for top in tops), "gates of one turn are parts of their own"


def test_gates_are_not_mixed_up() -> None:
    layer = Unrolled("GRU", 12, 3, 5, "float32")
    graph, parts = found(layer.model())
    number = {index: at for at, part in enumerate(parts) for index in part}
    splits = [one for one in graph.operators if len(one.outputs) == GATES["GRU"]]
    assert len(splits) == 2 * layer.turns - 1
    for one in splits:
        assert len({number[int(index)] for index in one.outputs}) == GATES["GRU"]


def shared_head(depth: int) -> bytes:
    """The same dense layer on several inputs side by side, as detection heads are: nothing recurs."""
    builder = ModelBuilder()
    graph = builder.graph()
    weights = graph.constant(np.ones((4, 4), np.float32))
    for _ in range(depth):
        x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
        graph.op("FULLY_CONNECTED", [x, weights, None], [y], activation="NONE")
        graph.output(y)
    return builder.build()


def test_a_layer_that_is_used_side_by_side_keeps_its_ranges() -> None:
    data = shared_head(6)
    assert found(data)[1] == []
    assert turns.united(data) is data


def in_series(depth: int, skip: bool) -> bytes:
    """The same dense layer several times in series, with or without a skip connection round each: it takes no
    input of its own in any of them."""
    builder = ModelBuilder()
    graph = builder.graph()
    weights = graph.constant(np.ones((4, 4), np.float32))
    x = graph.input((1, 4), "float32")
    for _ in range(depth):
        y = graph.tensor((1, 4), "float32")
        graph.op("FULLY_CONNECTED", [x, weights, None], [y], activation="RELU")
        if skip:
            added = graph.tensor((1, 4), "float32")
            graph.op("ADD", [x, y], [added], activation="NONE")
            y = added
        x = y
    graph.output(x)
    return builder.build()


@pytest.mark.parametrize("skip", [False, True])
def test_a_layer_that_is_used_again_in_series_keeps_its_ranges(skip: bool) -> None:
    """One range for an input of ±60 and outputs of ±2 left 0.3 dB of 39."""
    for depth in (2, 3, 6):
        data = in_series(depth, skip)
        assert found(data)[1] == []
        assert turns.united(data) is data


def test_a_part_has_the_union_of_its_ranges() -> None:
    layer = Unrolled("RNN", 9, 2, 4, "float32")
    model = objects.unpack(layer.model())
    graph, generated = model.subgraphs[0], objects.module()
    for index, tensor in enumerate(graph.tensors):
        tensor.quantization = generated.QuantizationParametersT()
        tensor.quantization.min, tensor.quantization.max = [-1.0 - index], [0.5 + index]
    parts = turns.parts(model, graph)
    united = objects.unpack(turns.united(objects.pack(model))).subgraphs[0]
    assert parts
    for part in parts:
        ends = {(float(united.tensors[i].quantization.min[0]), float(united.tensors[i].quantization.max[0]))
                for i in part}  # fmt: skip
        assert ends == {(-1.0 - max(part), 0.5 + max(part))}


def test_the_products_of_an_attention_are_no_turns() -> None:
    """The second reads what was made of the first, but they share no weights: one range for scores and values
    left 9 dB."""
    model = ModelBuilder()
    graph = model.graph()
    q, k, v = (graph.input((1, 4, 4), "float32") for _ in range(3))
    scores, shares, y = (graph.tensor((1, 4, 4), "float32") for _ in range(3))
    graph.op("BATCH_MATMUL", [q, k], [scores])
    graph.op("SOFTMAX", [scores], [shares], beta=1.0)
    graph.op("BATCH_MATMUL", [shares, v], [y])
    graph.output(y)
    assert found(model.build())[1] == []
