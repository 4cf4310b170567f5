# SPDX-License-Identifier: Apache-2.0
"""Constant folding: every value that is folded is the value that TFLM computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.passes.changed import check_random_graphs
from tests.compiler.passes.nets import Net
from tests.support import differential, tflm
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler import passes
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.passes import constant_folding
from tinyserve.compiler.passes.load import load, parse_attributes
from tinyserve.errors import UnsupportedError


def i32(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.int32)


def f32(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.float32)


COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
GRID = np.arange(-12, 12, dtype=np.int32).reshape(2, 3, 4)
A, B = i32([7, -7, 2**31 - 1], [0, 5, -3]), i32([2, 2, 1], [3, -3, 2])
F, G = f32([0.1, -3.7, 1e30], [2.0, 1 / 3, -0.0]), f32([0.2, -3.7, 1e5], [-1e-30, 3.0, 0.0])

CASES: list[tuple[str, list[Any], list[tuple[tuple[int, ...], str]], dict[str, Any]]] = [
    ("SHAPE", [GRID], [((3,), "int32")], {"out_type": "int32"}),
    ("RESHAPE", [GRID, i32(4, 6)], [((4, 6), "int32")], {}),
    ("SQUEEZE", [GRID.reshape(1, 6, 4)], [((6, 4), "int32")], {"squeeze_dims": [0]}),
    ("EXPAND_DIMS", [GRID.astype(np.int8), i32(1)], [((2, 1, 3, 4), "int8")], {}),
    ("STRIDED_SLICE", [GRID, i32(0, 1, -3), i32(2, 3, 4), i32(1, 1, 2)], [((2, 2, 2), "int32")], {}),
    ("STRIDED_SLICE", [i32(5, 6, 7), i32(1), i32(2), i32(1)], [((), "int32")], {"shrink_axis_mask": 1}),
    ("STRIDED_SLICE", [i32(5, 6, 7), i32(-1), i32(9), i32(1)], [((), "int32")], {"shrink_axis_mask": 1}),
    (
        "STRIDED_SLICE",
        [GRID, i32(1, 1, 1), i32(1, 1, 1), i32(1, 1, 1)],
        [((2, 2, 1), "int32")],
        {"begin_mask": 5, "end_mask": 3},
    ),
    ("SLICE", [GRID, i32(0, 1, 2), i32(2, -1, 1)], [((2, 2, 1), "int32")], {}),
    ("PACK", [i32(3), i32(4)], [((2, 1), "int32")], {"axis": 0, "values_count": 2}),
    ("PACK", [i32(3, 5), i32(4, 6)], [((2, 2), "int32")], {"axis": 1, "values_count": 2}),
    ("UNPACK", [GRID[:, :, 0]], [((2,), "int32")] * 3, {"axis": 1, "num": 3}),
    ("CONCATENATION", [GRID, GRID[:, :1]], [((2, 4, 4), "int32")], {"axis": 1}),
    ("GATHER", [GRID[0].astype(np.int8), i32(2, 0)], [((2, 4), "int8")], {"axis": 0}),
    ("GATHER", [GRID[0].astype(np.int8), i32(3)], [((3, 1), "int8")], {"axis": -1}),
    ("CAST", [GRID], [((2, 3, 4), "float32")], {}),
    ("CAST", [GRID], [((2, 3, 4), "int8")], {}),
    ("TRANSPOSE", [GRID.astype(np.int8), i32(2, 0, 1)], [((4, 2, 3), "int8")], {}),
    ("SPLIT", [i32(2).reshape(()), GRID], [((2, 3, 2), "int32")] * 2, {"num_splits": 2}),
    ("FILL", [i32(2, 3), i32(9).reshape(())], [((2, 3), "int32")], {}),
    ("BROADCAST_TO", [i32(1, 2, 3), i32(2, 3)], [((2, 3), "int32")], {}),
    ("BROADCAST_ARGS", [i32(2, 1), i32(3)], [((2,), "int32")], {}),
    ("ZEROS_LIKE", [GRID], [((2, 3, 4), "int32")], {}),
    ("ADD", [A, B], [((2, 3), "int32")], {}),
    ("ADD", [A, i32(-1)], [((2, 3), "int32")], {}),
    ("SUB", [A, B], [((2, 3), "int32")], {}),
    ("MUL", [B, B], [((2, 3), "int32")], {}),
    ("MAXIMUM", [A, B], [((2, 3), "int32")], {}),
    ("MINIMUM", [A, B], [((2, 3), "int32")], {}),
    ("SPLIT_V", [GRID.astype(np.int8), i32(1, 3), np.array(2, np.int32)],
     [((2, 3, 1), "int8"), ((2, 3, 3), "int8")], {"num_splits": 2}),
    ("REVERSE_V2", [GRID.astype(np.int8), i32(1)], [((2, 3, 4), "int8")], {}),
    ("GATHER_ND", [GRID.astype(np.int8), i32([1, 2], [0, 1])], [((2, 4), "int8")], {}),
    ("GATHER_ND", [GRID.astype(np.float32), i32([1, 2, 3])], [((1,), "float32")], {}),
    ("PAD", [GRID, i32([0, 1], [0, 0], [2, 0])], [((3, 3, 6), "int32")], {}),
    ("PADV2", [F, i32([1, 1], [0, 1]), f32(2.5)], [((4, 4), "float32")], {}),
    ("ADD", [F, G], [((2, 3), "float32")], {}),
    ("SUB", [F, f32(0.1)], [((2, 3), "float32")], {}),
    ("MUL", [F, G], [((2, 3), "float32")], {}),
    ("MAXIMUM", [F, G], [((2, 3), "float32")], {}),
    ("MINIMUM", [F, G], [((2, 3), "float32")], {}),
    *((name, [A, i32([7, 1, 3])], [((2, 3), "bool")], {}) for name in COMPARISONS),
    *((name, [F, G], [((2, 3), "bool")], {}) for name in COMPARISONS),
    ("LOGICAL_AND", [A > 2, B > 1], [((2, 3), "bool")], {}),
    ("LOGICAL_OR", [A > 2, B > 1], [((2, 3), "bool")], {}),
    ("LOGICAL_NOT", [A > 2], [((2, 3), "bool")], {}),
    ("SELECT_V2", [A > 2, F, G], [((2, 3), "float32")], {}),
    ("CAST", [A > 2], [((2, 3), "int32")], {}),
]  # fmt: skip


def named(data: bytes) -> Model:
    """A model whose operators' inputs have names, not optimized."""
    model = read(data)
    parse_attributes(model)
    return model


def folded_and_computed(
    name: str, constants: list[Any], outputs: list[tuple[tuple[int, ...], str]], options: dict[str, Any]
) -> tuple[list[Any], list[Any]]:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1,), "float32")  # TFLM wants a model to have an input
    y = graph.tensor((1,), "float32")
    graph.op("RELU", [x], [y])
    made = [graph.tensor(shape, dtype) for shape, dtype in outputs]
    graph.op(name, [graph.constant(values) for values in constants], made, **options)
    graph.output(y, *made)
    data = model.build()
    loaded = named(data)
    assert constant_folding.run(loaded.main, loaded) == 1
    theirs = tflm.run(data, [np.zeros(1, np.float32)], outputs=1 + len(made))
    return [tensor.data for tensor in loaded.main.outputs[1:]], theirs[1:]


@pytest.mark.parametrize("case", CASES, ids=[f"{index}-{case[0]}" for index, case in enumerate(CASES)])
def test_folded_values_are_those_of_tflm(case: Any) -> None:
    ours, theirs = folded_and_computed(*case)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
        assert mine.tobytes() == np.ascontiguousarray(other).tobytes()


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_dequantized_weights_are_those_of_tflm(dtype: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        model = ModelBuilder()
        graph = model.graph()
        x = graph.input((1,), "float32")
        y, made = graph.tensor((1,), "float32"), graph.tensor((256,), "float32")
        graph.op("RELU", [x], [y])
        zero_point = int(rng.integers(-128, 128)) if dtype == "int8" else 0
        values = np.arange(-128, 128, dtype=dtype) * (1 if dtype == "int8" else 200)
        graph.op("DEQUANTIZE", [graph.constant(values, float(10 ** rng.uniform(-6, 1)), zero_point)], [made])
        graph.output(y, made)
        data = model.build()
        loaded = named(data)
        constant_folding.run(loaded.main, loaded)
        (_, theirs) = tflm.run(data, [np.zeros(1, np.float32)], outputs=2)
        assert loaded.main.outputs[1].data is not None
        assert np.array_equal(loaded.main.outputs[1].data, theirs)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_quantized_constants_are_those_of_tflm(dtype: str) -> None:
    """Halves, values beyond the range, and what lies just beside a half."""
    rng = np.random.default_rng(2)
    for scale in (0.5, 0.1, float(np.float32(rng.uniform(0.001, 1)))):
        halves = (np.arange(-300, 300, dtype=np.float32) + np.float32(0.5)) * np.float32(scale)
        values = np.concatenate([halves, np.nextafter(halves, np.float32(0)), rng.normal(size=400) * 100])
        values = values.astype(np.float32)
        model = ModelBuilder()
        graph = model.graph()
        x = graph.input((1,), "float32")
        y = graph.tensor((1,), "float32")
        made = graph.tensor(values.shape, dtype, scale, 3 if dtype == "int8" else 0)
        graph.op("RELU", [x], [y])
        graph.op("QUANTIZE", [graph.constant(values)], [made])
        graph.output(y, made)
        loaded = named(model.build())
        assert constant_folding.run(loaded.main, loaded) == 1
        (_, theirs) = tflm.run(model.build(), [np.zeros(1, np.float32)], outputs=2)
        assert loaded.main.outputs[1].data is not None
        assert np.array_equal(loaded.main.outputs[1].data, theirs)


def flatten_as_keras_does(net: Net) -> None:
    """SHAPE -> STRIDED_SLICE -> PACK -> RESHAPE, the batch size of a dynamic signature."""
    graph, x = net.graph, net.x
    shape = graph.tensor((4,), "int32")
    graph.op("SHAPE", [x], [shape], out_type="int32")
    batch = graph.tensor((), "int32")
    bounds = [graph.constant(i32(value)) for value in (0, 1, 1)]
    graph.op("STRIDED_SLICE", [shape, *bounds], [batch], shrink_axis_mask=1)
    target = graph.tensor((2,), "int32")
    graph.op("PACK", [batch, graph.constant(np.array(-1, np.int32))], [target], values_count=2, axis=0)
    y = net.tensor((1, int(np.prod(x.shape))), like=x)
    graph.op("RESHAPE", [x, target], [y])
    net.x = y


def test_the_flatten_of_keras_becomes_one_reshape(tmp_path: Path) -> None:
    net = Net(np.random.default_rng(1))
    net.input((1, 4, 4, 3))
    net.conv(4, 3)
    flatten_as_keras_does(net)
    net.dense(3)
    case = net.case("flatten")
    model = load(case.model)
    passes.optimize(model)
    assert [op.name for op in model.main.nodes] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]
    differential.check([case], tmp_path, at_least=1, prepare=passes.optimize)


def test_floats_that_overflow_are_left_to_the_kernel() -> None:
    """TFLM clamps them to the largest number, without an activation, too."""
    model = ModelBuilder()
    graph = model.graph()
    x, y, made = graph.input((1,), "float32"), graph.tensor((1,), "float32"), graph.tensor((1,), "float32")
    graph.op("RELU", [x], [y])
    graph.op("MUL", [graph.constant(f32(1e30)), graph.constant(f32(1e30))], [made])
    graph.output(y, made)
    loaded = named(model.build())
    assert constant_folding.run(loaded.main, loaded) == 0
    assert tflm.run(model.build(), [f32(0)], outputs=2)[1] == np.finfo(np.float32).max


def test_weights_stored_as_float16_are_widened() -> None:
    weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float16)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "float32")
    wide, y = graph.tensor((3, 4), "float32"), graph.tensor((1, 3), "float32")
    graph.op("DEQUANTIZE", [graph.constant(weights)], [wide])
    graph.op("FULLY_CONNECTED", [x, wide, None], [y])
    graph.output(y)
    loaded = load(model.build())
    (dense,) = loaded.main.nodes
    assert np.array_equal(dense.inputs[1].data, weights.astype(np.float32))


def test_contradictory_constants_are_left_to_the_operators_check() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1,), "float32")
    y, bad, huge = graph.tensor((1,), "float32"), graph.tensor((9,), "int32"), graph.tensor((2**30,), "int32")
    graph.op("RELU", [x], [y])
    graph.op("GATHER", [graph.constant(i32(1, 2)), graph.constant(i32(7))], [bad], axis=0)
    graph.op("FILL", [graph.constant(i32(2**30)), graph.constant(i32(1))], [huge])
    graph.output(y, bad, huge)
    loaded = named(model.build())
    assert constant_folding.run(loaded.main, loaded) == 0


def test_everything_that_is_missing_is_named_in_one_error() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "float32")
    a, b, c = (graph.tensor((1, 4), "float32", name=name) for name in "abc")
    graph.op("SEGMENT_SUM", [x, x], [a])
    graph.op("NoSuchOperator", [a], [b], custom_options=b"")
    graph.op("CAST", [b], [c])
    half = graph.tensor((1, 4), "float16", name="half")
    graph.op("CAST", [c], [half])
    graph.output(half)
    with pytest.raises(UnsupportedError) as caught:
        load(model.build())
    message = caught.value.message
    assert all(word in message for word in ("SEGMENT_SUM #0", '"a"', "NoSuchOperator #1", "float16"))
    assert caught.value.hint


def test_random_graphs_keep_their_bytes(tmp_path: Path) -> None:
    check_random_graphs(constant_folding.run, tmp_path)
