"""SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK and REVERSE_V2 against TFLM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110
Built = tuple[list[TensorRef], list[TensorRef]]


def vector(graph: GraphBuilder, values: list[int]) -> TensorRef:
    return graph.constant(np.array(values, dtype=np.int32))


def slice_case(index: int, dtype: str) -> Case:
    r = Random(index, 20)
    shape = r.shape(r.integer(1, 4), 1, 6)
    begin = [r.integer(0, extent - 1) for extent in shape]
    size = [r.integer(1, extent - start) for extent, start in zip(shape, begin, strict=True)]
    written = [
        -1 if start + count == extent and r.chance(0.5) else count
        for extent, start, count in zip(shape, begin, size, strict=True)
    ]

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x, y = graph.input(shape, dtype, **q), graph.tensor(size, dtype, **q)
        graph.op("SLICE", [x, vector(graph, begin), vector(graph, written)], [y])
        return [x], [y]

    return case(f"slice {dtype} {shape} {begin} {written} #{index}", r, build)


def strided_slice_case(index: int, dtype: str) -> Case:
    r = Random(index, 21)
    shape = r.shape(r.integer(1, 4), 2, 6)
    begins, ends, steps = [], [], []
    masks = {"begin_mask": 0, "end_mask": 0, "shrink_axis_mask": 0}
    out: list[int] = []
    for axis, extent in enumerate(shape):
        step = r.choice((1, 1, 2, -1))
        begin, end = r.integer(0, extent - 1), r.integer(1, extent)
        if step > 0 and begin >= end:
            begin, end = 0, extent
        if step < 0:
            begin, end = extent - 1, r.integer(0, extent - 2)
        if r.chance(0.2):
            masks["begin_mask"] |= 1 << axis
        if r.chance(0.2):
            masks["end_mask"] |= 1 << axis
        shrink = step == 1 and r.chance(0.2)
        if shrink:
            masks["begin_mask"] &= ~(1 << axis)
            masks["shrink_axis_mask"] |= 1 << axis
            end = begin + 1
        actual = slice(
            None if masks["begin_mask"] >> axis & 1 else begin,
            None if masks["end_mask"] >> axis & 1 else end,
            step,
        )
        if not shrink:
            out.append(len(range(extent)[actual]))
        begins.append(begin - extent if r.chance(0.2) and not shrink else begin)
        ends.append(end)
        steps.append(step)

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x, y = graph.input(shape, dtype, **q), graph.tensor(out, dtype, **q)
        operands = [x, vector(graph, begins), vector(graph, ends), vector(graph, steps)]
        graph.op("STRIDED_SLICE", operands, [y], **masks)
        return [x], [y]

    return case(f"strided slice {dtype} {shape} {begins}:{ends}:{steps} {masks} #{index}", r, build)


def split_case(index: int, dtype: str) -> Case:
    r = Random(index, 22)
    shape = list(r.shape(r.integer(1, 4), 1, 4))
    axis, count = r.integer(0, len(shape) - 1), r.integer(1, 4)
    part = [*shape]
    shape[axis] *= count

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        outputs = [graph.tensor(part, dtype, **q) for _ in range(count)]
        written = axis - len(shape) if r.chance(0.3) else axis
        graph.op("SPLIT", [graph.constant(np.array(written, np.int32)), x], outputs, num_splits=count)
        return [x], outputs

    return case(f"split {dtype} {shape} axis {axis} in {count} #{index}", r, build)


def split_v_case(index: int, dtype: str) -> Case:
    r = Random(index, 23)
    shape = list(r.shape(r.integer(1, 4), 1, 4))
    axis = r.integer(0, len(shape) - 1)
    sizes = [r.integer(1, 3) for _ in range(r.integer(1, 4))]
    shape[axis] = sum(sizes)

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        extents = [[*shape[:axis], size, *shape[axis + 1 :]] for size in sizes]
        outputs = [graph.tensor(extent, dtype, **q) for extent in extents]
        operands = [x, vector(graph, sizes), graph.constant(np.array(axis, np.int32))]
        graph.op("SPLIT_V", operands, outputs, num_splits=len(sizes))
        return [x], outputs

    return case(f"split_v {dtype} {shape} axis {axis} {sizes} #{index}", r, build)


def unpack_case(index: int, dtype: str) -> Case:
    r = Random(index, 24)
    shape = list(r.shape(r.integer(2, 4), 1, 4))
    axis = r.integer(0, len(shape) - 1)

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        part = shape[:axis] + shape[axis + 1 :]
        outputs = [graph.tensor(part, dtype, **q) for _ in range(shape[axis])]
        written = axis - len(shape) if r.chance(0.3) else axis
        graph.op("UNPACK", [x], outputs, num=shape[axis], axis=written)
        return [x], outputs

    return case(f"unpack {dtype} {shape} axis {axis} #{index}", r, build)


def reverse_case(index: int, dtype: str) -> Case:
    r = Random(index, 25)
    shape = r.shape(r.integer(1, 4), 1, 5)
    axis = r.integer(0, len(shape) - 1)

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x, y = graph.input(shape, dtype, **q), graph.tensor(shape, dtype, **q)
        graph.op("REVERSE_V2", [x, vector(graph, [axis])], [y])
        return [x], [y]

    return case(f"reverse {dtype} {shape} axis {axis} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
@pytest.mark.parametrize("make", [slice_case, strided_slice_case], ids=["SLICE", "STRIDED_SLICE"])
def test_slices_equal_tflm(make: Callable[[int, str], Case], dtype: str, tmp_path: Path) -> None:
    check([make(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize(
    "make",
    [split_case, split_v_case, unpack_case, reverse_case],
    ids=["SPLIT", "SPLIT_V", "UNPACK", "REVERSE_V2"],
)
def test_parts_equal_tflm(make: Callable[[int, str], Case], dtype: str, tmp_path: Path) -> None:
    check([make(index, dtype) for index in range(CASES)], tmp_path, at_least=100)
