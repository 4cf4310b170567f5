# SPDX-License-Identifier: Apache-2.0
"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN and REDUCE_ALL against TFLM (which reduces two axes at most)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Array, Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.run_time import at_run_time, outputs_of

CASES = 120
INTEGERS = [
    ("MEAN", "int8"), ("MEAN", "int16"), ("SUM", "int8"), ("SUM", "int16"), ("REDUCE_MAX", "int8"),
    ("REDUCE_MIN", "int8"),
]  # fmt: skip


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 7, len(op))
    shape = r.shape(r.integer(1, 6), 1, 5)
    axes = r.rng.permutation(len(shape))[: r.integer(1, min(2, len(shape)))]
    if len(shape) == 4 and r.chance(0.3):
        axes = np.array([1, 2])
    keep = r.chance(0.5)
    count = int(np.prod([shape[axis] for axis in axes]))
    kept = [1 if axis in axes else extent for axis, extent in enumerate(shape) if keep or axis not in axes]
    written = [int(axis) - (len(shape) if r.chance(0.3) else 0) for axis in axes]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q: dict[str, Any] = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        out = dict(q)
        if q and op in ("MEAN", "SUM") and r.chance(0.7):
            growth = np.sqrt(count) if op == "SUM" else 1.0
            out = {
                "scale": q["scale"] * growth * r.choice((1.0, 0.5, 2.3)),
                "zero_point": r.zero_point(dtype),
            }
        y = graph.tensor(kept, dtype, **out)
        graph.op(op, [x, graph.constant(np.array(written, np.int32))], [y], keep_dims=keep)
        return [x], [y]

    return case(f"{op} {dtype} {shape} over {written} #{index}", r, build)


@pytest.mark.parametrize(("op", "dtype"), INTEGERS)
def test_integer_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_all_of_bool_equals_tflm(tmp_path: Path) -> None:
    check([random_case(index, "REDUCE_ALL", "bool") for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [random_case(index, op, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))


def computed_case(index: int, op: str, dtype: str) -> Case:
    """The axes at run time: in each sample other ones of as many elements."""
    r, made = Random(index, 9), random_case(index, op, dtype)
    shape = made.samples[0][0].shape

    def other(operand: int, axes: Array) -> Array:
        for _ in range(10):
            drawn = r.rng.integers(-len(shape), len(shape), axes.size)
            once = {int(axis) % len(shape) for axis in drawn}
            if np.prod([shape[axis] for axis in once]) == np.prod([shape[axis] for axis in axes]):
                return drawn.astype(np.int32)
        return axes

    return at_run_time(made, [1], other)


@pytest.mark.parametrize(("op", "dtype"), [*INTEGERS, ("REDUCE_ALL", "bool")])
def test_bytes_over_computed_axes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([computed_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
def test_floats_over_computed_axes_are_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [computed_case(index, op, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))


@pytest.mark.parametrize("op", ["MEAN", "REDUCE_MAX", "REDUCE_ALL"])
def test_axes_that_make_another_number_of_outputs_give_zeros(op: str, tmp_path: Path) -> None:
    model, dtype = ModelBuilder(), "bool" if op == "REDUCE_ALL" else "float32"
    graph = model.graph()
    x, axes, y = graph.input((2, 5, 3), dtype), graph.input((2,), "int32"), graph.tensor((5,), dtype)
    graph.op(op, [x, axes], [y])
    graph.output(y)
    given = [(0, 2), (0, 1), (1, 2), (0, 0), (3, 0), (-4, 2), (2**31 - 1, -(2**31))]
    samples = [[np.ones((2, 5, 3), dtype), np.array(pair, np.int32)] for pair in given]
    (outputs,) = outputs_of([Case("axes", model.build(), samples)], tmp_path)
    assert [output.tolist() for output in outputs] == [[1] * 5] + [[0] * 5] * 6
