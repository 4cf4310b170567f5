# SPDX-License-Identifier: Apache-2.0
"""CUMSUM against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.run_time import at_run_time, outputs_of

CASES = 110


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 102)
    shape = r.shape(r.integer(1, 6), 1, 4)
    axis = r.integer(-len(shape), len(shape) - 1)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input(shape, dtype, **r.quantization(dtype))
        y = graph.tensor(shape, dtype, **r.quantization(dtype))
        graph.op(
            "CUMSUM", [x, graph.constant(np.array([axis], np.int32))], [y], exclusive=r.chance(0.5),
            reverse=r.chance(0.5),
        )  # fmt: skip
        return [x], [y]

    return case(f"cumsum {dtype} {shape} axis {axis} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def computed_case(index: int, dtype: str) -> Case:
    """The axis at run time, another one in each sample."""
    r, made = Random(index, 103), random_case(index, dtype)
    rank = made.samples[0][0].ndim
    return at_run_time(made, [1], lambda _, axis: np.full_like(axis, r.integer(-rank, rank - 1)))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_sums_along_a_computed_axis_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([computed_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_sums_along_no_axis_of_the_input_are_zeros(tmp_path: Path) -> None:
    bad = iter([6, -7, 2**31 - 1, -(2**31)] * 10)
    cases = [
        at_run_time(random_case(i, "float32"), [1], lambda _, axis: axis * 0 + next(bad)) for i in (0, 1)
    ]
    assert not any(output.any() for outputs in outputs_of(cases, tmp_path) for output in outputs)
