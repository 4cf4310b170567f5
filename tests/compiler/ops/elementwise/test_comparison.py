# SPDX-License-Identifier: Apache-2.0
"""Comparisons and logical operators against TFLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.elementwise_cases import broadcast_shapes, output_shape
from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110
COMPARISONS = ["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"]


class Near(Random):
    """Values that often coincide."""

    def values(self, shape: Any, dtype: str) -> Any:
        if dtype in ("int32", "int64"):
            return self.rng.integers(-3, 4, shape).astype(dtype)
        if dtype == "float32":
            return self.rng.integers(-3, 4, shape).astype(np.float32)
        return super().values(shape, dtype)


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Near(index, 41)
    first, second = broadcast_shapes(r)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q1 = r.quantization(dtype, 1e-3, 0.9)
        q2 = q1 if r.chance(0.5) else r.quantization(dtype, 1e-3, 0.9)
        inputs = [graph.input(first, dtype, **q1), graph.input(second, dtype, **q2)]
        y = graph.tensor(output_shape(first, second), "bool")
        graph.op(op, inputs, [y])
        return inputs, [y]

    return case(f"{op} {dtype} {first} {second} #{index}", r, build)


def not_case(index: int) -> Case:
    r = Random(index, 42)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = r.shape(r.integer(1, 4))
        x, y = graph.input(shape, "bool"), graph.tensor(shape, "bool")
        graph.op("LOGICAL_NOT", [x], [y])
        return [x], [y]

    return case(f"LOGICAL_NOT #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "float32"])
@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["EQUAL", "NOT_EQUAL", "LOGICAL_AND", "LOGICAL_OR"])
def test_booleans_equal_tflm(op: str, tmp_path: Path) -> None:
    check([random_case(index, op, "bool") for index in range(CASES)], tmp_path, at_least=100)


def test_negation_equals_tflm(tmp_path: Path) -> None:
    check([not_case(index) for index in range(CASES)], tmp_path, at_least=100)
