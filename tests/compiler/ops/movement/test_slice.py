# SPDX-License-Identifier: Apache-2.0
"""SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK and REVERSE_V2 against TFLM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Array, Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.run_time import at_run_time, outputs_of
from tinyserve.compiler.passes import load

CASES = 110
Built = tuple[list[TensorRef], list[TensorRef]]


def vector(graph: GraphBuilder, values: list[int]) -> TensorRef:
    return graph.constant(np.array(values, dtype=np.int32))


def slice_case(index: int, dtype: str) -> Case:
    r = Random(index, 20)
    shape = r.shape(r.integer(1, 5), 1, 5)
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


def computed_slice_case(index: int, dtype: str) -> Case:
    """Begin, size or both at run time: other ones in each sample, but for what is constant."""
    r = Random(index, 26)
    which = ((1,), (2,), (1, 2))[index % 3]
    made = slice_case(index, dtype)
    (output,) = load(made.model).main.outputs
    (shape, part), kind = (made.samples[0][0].shape, output.shape), r.choice((np.int32, np.int64))

    def at(extent: int, count: int) -> tuple[int, int]:
        begin = r.integer(0, extent - count)
        return begin, -1 if begin + count == extent and r.chance(0.5) else count

    given = [np.array([at(*pair) for pair in zip(shape, part, strict=True)], kind).T for _ in made.samples]
    model = ModelBuilder()
    graph = model.graph()
    q = r.quantization(dtype)
    x, y = graph.input(shape, dtype, **q), graph.tensor(part, dtype, **q)
    constant = {index: graph.constant(given[0][index - 1]) for index in (1, 2) if index not in which}
    operands = [constant.get(index) or graph.input((len(shape),), kind.__name__) for index in (1, 2)]
    graph.op("SLICE", [x, *operands], [y])
    graph.output(y)
    samples = []
    for (values,), positions in zip(made.samples, given, strict=True):
        begin, size = given[0] if len(which) == 1 else positions
        if which == (1,):
            begin = np.where(size == -1, begin, positions[0])
        samples.append([values, *((begin, size)[index - 1] for index in which)])
    return Case(f"slice {dtype} {shape} to {part}, {which} at run time #{index}", model.build(), samples)


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
    shape = list(r.shape(r.integer(1, 6), 1, 3))
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
    shape = list(r.shape(r.integer(1, 6), 1, 3))
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
    shape = list(r.shape(r.integer(2, 6), 1, 3))
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
    shape = r.shape(r.integer(1, 6), 1, 4)
    first = r.integer(0, len(shape) - 1)
    axes = list(range(first, min(len(shape), first + r.choice((1, 1, 2, 3)))))  # TFLM wants neighbours

    def build(graph: GraphBuilder) -> Built:
        q = r.quantization(dtype)
        x, y = graph.input(shape, dtype, **q), graph.tensor(shape, dtype, **q)
        graph.op("REVERSE_V2", [x, vector(graph, axes)], [y])
        return [x], [y]

    return case(f"reverse {dtype} {shape} axes {axes} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "bool", "float32"])
@pytest.mark.parametrize("make", [slice_case, strided_slice_case], ids=["SLICE", "STRIDED_SLICE"])
def test_slices_equal_tflm(make: Callable[[int, str], Case], dtype: str, tmp_path: Path) -> None:
    check([make(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
@pytest.mark.parametrize("make", [split_case, split_v_case, unpack_case], ids=["SPLIT", "SPLIT_V", "UNPACK"])
def test_parts_equal_tflm(make: Callable[[int, str], Case], dtype: str, tmp_path: Path) -> None:
    check([make(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "bool", "float32"])
def test_reversals_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([reverse_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_slices_at_run_time_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([computed_slice_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_other_parts_of_the_same_size_equal_tflm(tmp_path: Path) -> None:
    case = whole_slice((2, 3), [((0, 0), (3, 2)), ((1, 0), (1, 6)), ((0, 5), (-1, 1))])
    check([case], tmp_path, at_least=1)


def test_parts_outside_of_the_input_are_zeros(tmp_path: Path) -> None:
    far = 2**31 - 1
    bad = [
        ((-1, 0), (2, 3)), ((5, 0), (2, 3)), ((0, 4), (2, 3)), ((0, 0), (1, 3)), ((0, 0), (-2, 3)),
        ((far, 0), (2, 3)), ((1, 1), (far, far)), ((-far, -far), (-far, far)), ((6, 0), (-1, 3)),
    ]  # fmt: skip
    (outputs,) = outputs_of([whole_slice((2, 3), bad)], tmp_path)
    assert len(outputs) == len(bad)
    assert not any(output.any() for output in outputs)


def whole_slice(part: tuple[int, int], positions: list[tuple[tuple[int, int], tuple[int, int]]]) -> Case:
    """Of ones and more in [6][6], with (begin, size) in each sample."""
    model = ModelBuilder()
    graph = model.graph()
    operands = [graph.input((6, 6), "int32"), graph.input((2,), "int32"), graph.input((2,), "int32")]
    y = graph.tensor(part, "int32")
    graph.op("SLICE", operands, [y])
    graph.output(y)
    values = np.arange(1, 37, dtype=np.int32).reshape(6, 6)
    samples = [[values, *(np.array(given, np.int32) for given in pair)] for pair in positions]
    return Case("slice", model.build(), samples)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_reversals_at_run_time_equal_tflm(dtype: str, tmp_path: Path) -> None:
    r = Random(27)

    def other(operand: int, axes: Array) -> Array:
        """As they are, or counted from the back: the rank is unknown here, but -1 always is an axis."""
        return axes if axes.size > 1 or r.chance(0.7) else np.full(1, -1, np.int32)

    cases = [at_run_time(reverse_case(index, dtype), [1], other) for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_reversals_along_no_axis_of_the_input_are_zeros(tmp_path: Path) -> None:
    bad = iter([3, -4, 2**31 - 1, -(2**31)] * 10)
    made = next(c for index in range(100) if (c := reverse_case(index, "int8")).samples[0][0].ndim == 3)
    cases = [at_run_time(made, [1], lambda _, axes: np.full_like(axes, next(bad)))]
    assert not any(output.any() for outputs in outputs_of(cases, tmp_path) for output in outputs)


def test_split_v_at_run_time_takes_the_sizes_of_its_outputs(tmp_path: Path) -> None:
    check([at_run_time(split_v_case(i, "int8"), [1]) for i in range(CASES)], tmp_path, at_least=100)
