# SPDX-License-Identifier: Apache-2.0
"""CONCATENATION and PACK against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110


def concatenation(index: int, dtype: str) -> Case:
    r = Random(index, 9)
    shape = list(r.shape(r.integer(1, 6), 1, 3))
    axis = r.integer(0, len(shape) - 1)
    parts = [r.integer(1, 4) for _ in range(r.integer(1, 5))]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        extents = [[*shape[:axis], part, *shape[axis + 1 :]] for part in parts]
        inputs = [graph.input(extent, dtype, **q) for extent in extents]
        y = graph.tensor([*shape[:axis], sum(parts), *shape[axis + 1 :]], dtype, **q)
        written = axis - len(shape) if r.chance(0.3) else axis
        graph.op("CONCATENATION", inputs, [y], axis=written)
        return inputs, [y]

    return case(f"concatenation {dtype} {shape} axis {axis} {parts} #{index}", r, build)


def pack(index: int, dtype: str) -> Case:
    r = Random(index, 10)
    shape = list(r.shape(r.integer(1, 5), 1, 4))
    axis, count = r.integer(0, len(shape)), r.integer(1, 4)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        inputs = [graph.input(shape, dtype, **q) for _ in range(count)]
        y = graph.tensor([*shape[:axis], count, *shape[axis:]], dtype, **q)
        written = axis - len(shape) - 1 if r.chance(0.3) else axis
        graph.op("PACK", inputs, [y], values_count=count, axis=written)
        return inputs, [y]

    return case(f"pack {dtype} {shape} axis {axis} x{count} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "bool", "float32"])
def test_concatenation_equals_tflm(dtype: str, tmp_path: Path) -> None:
    check([concatenation(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "float32"])
def test_pack_equals_tflm(dtype: str, tmp_path: Path) -> None:
    check([pack(index, dtype) for index in range(CASES)], tmp_path, at_least=100)
