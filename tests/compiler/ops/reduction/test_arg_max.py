# SPDX-License-Identifier: Apache-2.0
"""ARG_MAX and ARG_MIN against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Array, Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.run_time import at_run_time, outputs_of

CASES = 110


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 48)
    shape = r.shape(r.integer(1, 6), 1, 4)
    axis = r.integer(0, len(shape) - 1)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input(shape, dtype, **r.quantization(dtype))
        y = graph.tensor(shape[:axis] + shape[axis + 1 :], "int32")
        written = axis - len(shape) if r.chance(0.3) else axis
        graph.op(op, [x, graph.constant(np.array(written, np.int32))], [y], output_type="int32")
        return [x], [y]

    return case(f"{op} {dtype} {shape} axis {axis} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", ["ARG_MAX", "ARG_MIN"])
def test_indices_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


def computed_case(index: int, op: str, dtype: str) -> Case:
    """The axis at run time: in each sample another one of the same extent."""
    r, made = Random(index, 49), random_case(index, op, dtype)
    shape = made.samples[0][0].shape

    def other(operand: int, axis: Array) -> Array:
        alike = [place for place in range(-len(shape), len(shape)) if shape[place] == shape[int(axis)]]
        return np.array(r.choice(alike), np.int32)

    return at_run_time(made, [1], other)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", ["ARG_MAX", "ARG_MIN"])
def test_indices_along_a_computed_axis_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([computed_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_axes_that_make_another_number_of_outputs_give_zeros(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, axis, y = graph.input((2, 5), "int8"), graph.input((1,), "int32"), graph.tensor((5,), "int32")
    graph.op("ARG_MAX", [x, axis], [y], output_type="int32")
    graph.output(y)
    values = np.array([[1, 1, 1, 1, 1], [2, 2, 2, 2, 2]], np.int8)
    samples = [[values, np.array([given], np.int32)] for given in (0, 1, 2, -3, 2**31 - 1, -(2**31))]
    (outputs,) = outputs_of([Case("axes", model.build(), samples)], tmp_path)
    assert [output.tolist() for output in outputs] == [[1] * 5] + [[0] * 5] * 5
