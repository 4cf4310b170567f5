# SPDX-License-Identifier: Apache-2.0
"""PAD and PADV2 against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.run_time import at_run_time

CASES = 120


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 8, len(op))
    shape = r.shape(r.integer(1, 5), 1, 4)
    table = np.array([[r.choice((0, 0, 1, 3)), r.choice((0, 0, 1, 2))] for _ in shape], dtype=np.int32)
    if len(shape) == 4 and r.chance(0.5):
        table[0] = table[3] = 0

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        y = graph.tensor(np.array(shape) + table.sum(axis=1), dtype, **q)
        inputs = [x, graph.constant(table)]
        if op == "PADV2":
            inputs.append(graph.constant(r.values((1,), dtype), **q))
        graph.op(op, inputs, [y])
        return [x], [y]

    return case(f"{op} {dtype} {shape} {table.tolist()} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
@pytest.mark.parametrize("op", ["PAD", "PADV2"])
def test_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
def test_a_computed_value_gives_tflms_bytes(dtype: str, tmp_path: Path) -> None:
    r = Random(81)
    cases = [random_case(index, "PADV2", dtype) for index in range(CASES)]
    computed = [at_run_time(case, [2], lambda _, value: r.values(value.shape, dtype)) for case in cases]
    check(computed, tmp_path, at_least=100)
