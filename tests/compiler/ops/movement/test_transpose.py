# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE, DEPTH_TO_SPACE, SPACE_TO_DEPTH and BROADCAST_TO against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError

CASES = 110
Built = tuple[list[TensorRef], list[TensorRef]]


def transpose_case(index: int, dtype: str) -> Case:
    r = Random(index, 30)
    shape = r.shape(r.integer(1, 5), 1, 5)
    order = [int(axis) for axis in r.rng.permutation(len(shape))]

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x, y = graph.input(shape, dtype, **q), graph.tensor([shape[axis] for axis in order], dtype, **q)
        graph.op("TRANSPOSE", [x, graph.constant(np.array(order, np.int32))], [y])
        return [x], [y]

    return case(f"transpose {dtype} {shape} {order} #{index}", r, build)


def block_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 31)
    batches, height, width, depth = r.shape(4, 1, 4)
    block = r.integer(1, 3)
    deep = (batches, height, width, depth * block * block)
    wide = (batches, height * block, width * block, depth)

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        source, target = (deep, wide) if op == "DEPTH_TO_SPACE" else (wide, deep)
        x, y = graph.input(source, dtype, **q), graph.tensor(target, dtype, **q)
        graph.op(op, [x], [y], block_size=block)
        return [x], [y]

    return case(f"{op} {dtype} {deep} {block} #{index}", r, build)


def broadcast_case(index: int, dtype: str) -> Case:
    r = Random(index, 32)
    target = r.shape(r.integer(1, 5), 1, 4)
    source = tuple(1 if r.chance(0.4) else extent for extent in target[r.integer(0, len(target) - 1) :])

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x, y = graph.input(source, dtype, **q), graph.tensor(target, dtype, **q)
        graph.op("BROADCAST_TO", [x, graph.constant(np.array(target, np.int32))], [y])
        return [x], [y]

    return case(f"broadcast {dtype} {source} to {target} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_transpose_equals_tflm(dtype: str, tmp_path: Path) -> None:
    check([transpose_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_axes_beyond_the_input_s_are_a_model_error() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((2, 3), "int8"), graph.tensor((3, 2), "int8")
    graph.op("TRANSPOSE", [x, graph.constant(np.array([3, 0], np.int32))], [y])
    graph.output(y)
    with pytest.raises(ModelError, match="axis 3 of 2 dimensions"):
        load(model.build())


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", ["DEPTH_TO_SPACE", "SPACE_TO_DEPTH"])
def test_blocks_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([block_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32", "bool", "float32"])
def test_broadcast_equals_tflm(dtype: str, tmp_path: Path) -> None:
    check([broadcast_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)
