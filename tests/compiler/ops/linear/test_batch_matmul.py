# SPDX-License-Identifier: Apache-2.0
"""BATCH_MATMUL against TFLM: transposed operands and broadcast batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 120


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 53)
    rows, depth, columns = r.integer(1, 6), r.integer(1, 12), r.integer(1, 6)
    batch = r.shape(r.integer(0, 2), 1, 3)
    left_batch = batch if r.chance(0.7) else tuple(1 for _ in batch)
    right_batch = batch if r.chance(0.7) else ()
    adjoint = (r.chance(0.4), r.chance(0.4))
    full = np.broadcast_shapes(left_batch, right_batch)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q1, q2 = r.quantization(dtype), r.quantization(dtype)
        left = graph.input((*left_batch, *((depth, rows) if adjoint[0] else (rows, depth))), dtype, **q1)
        shape = (*right_batch, *((columns, depth) if adjoint[1] else (depth, columns)))
        constant = r.chance(0.3)
        right = graph.constant(r.values(shape, dtype), **q2) if constant else graph.input(shape, dtype, **q2)
        out = {}
        if q1:
            unit = 100 if dtype == "int8" else 20000
            scale = q1["scale"] * q2["scale"] * unit * np.sqrt(depth) * r.choice((1.0, 0.2, 4.0))
            out = {"scale": float(np.float32(scale)), "zero_point": r.zero_point(dtype)}
        y = graph.tensor((*full, rows, columns), dtype, **out)
        graph.op("BATCH_MATMUL", [left, right], [y], adj_x=adjoint[0], adj_y=adjoint[1])
        return [left] if constant else [left, right], [y]

    return case(f"batch matmul {dtype} {left_batch} {right_batch} {adjoint} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))
