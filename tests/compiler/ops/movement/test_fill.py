# SPDX-License-Identifier: Apache-2.0
"""FILL and ZEROS_LIKE against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 105


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 54)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape, q = r.shape(r.integer(1, 6), 1, 4), r.quantization(dtype)
        y = graph.tensor(shape, dtype, **q)
        if op == "ZEROS_LIKE":
            x = graph.input(shape, dtype, **q)
            graph.op(op, [x], [y])
            return [x], [y]
        x, scalar = graph.input((1,), dtype, **q), graph.tensor((), dtype, **q)
        graph.op("RESHAPE", [x], [scalar])
        graph.op(op, [graph.constant(np.array(shape, np.int32)), scalar], [y])
        return [x], [y]

    return case(f"{op} {dtype} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int32", "float32"])
def test_fill_equals_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, "FILL", dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "float32"])
def test_zeros_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, "ZEROS_LIKE", dtype) for index in range(CASES)], tmp_path, at_least=100)
