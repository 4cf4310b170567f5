# SPDX-License-Identifier: Apache-2.0
"""SELECT_V2 against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 50)
    rank = r.integer(1, 6)
    shape = r.shape(rank, 1, 5 if rank < 5 else 3)
    kind = r.choice(("equal", "condition", "both"))
    ones = tuple(1 if r.chance(0.4) else extent for extent in shape)
    condition = shape if kind == "equal" else ones
    second = shape if kind != "both" else shape[r.integer(0, len(shape) - 1) :]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        inputs = [
            graph.input(condition, "bool"),
            graph.input(shape, dtype, **q),
            graph.input(second, dtype, **q),
        ]
        y = graph.tensor(shape, dtype, **q)
        graph.op("SELECT_V2", inputs, [y])
        return inputs, [y]

    return case(f"select {dtype} {condition} {shape} {second} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_values_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)
