# SPDX-License-Identifier: Apache-2.0
"""CAST against TFLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.run_time import outputs_of

CASES = 20  # of each pair of types
TYPES = ["bool", "int8", "int16", "int32", "uint32", "float32"]


class _ToUnsigned(Random):
    """No negative floats, whose conversion to an unsigned type C leaves undefined."""

    def values(self, shape: Any, dtype: str) -> Any:
        values = super().values(shape, dtype)
        return np.abs(values) if dtype == "float32" else values


def random_case(index: int, source: str, target: str) -> Case:
    r = _ToUnsigned(index, 51) if target == "uint32" else Random(index, 51)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = r.shape(r.integer(1, 3), 1, 8)
        x, y = graph.input(shape, source), graph.tensor(shape, target)
        graph.op("CAST", [x], [y])
        return [x], [y]

    return case(f"cast {source} to {target} #{index}", r, build)


@pytest.mark.parametrize("source", TYPES)
def test_values_equal_tflm(source: str, tmp_path: Path) -> None:
    cases = [random_case(index, source, target) for target in TYPES for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_floats_beyond_uint32_saturate(tmp_path: Path) -> None:
    values = np.array([-1.0, np.nan, 0.9, 1e10, 4294967040.0, 3e9, np.inf], np.float32)
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input(values.shape, "float32"), graph.tensor(values.shape, "uint32")
    graph.op("CAST", [x], [y])
    graph.output(y)
    output = outputs_of([Case("limits", model.build(), [[values]])], tmp_path)[0][0]
    assert output.tolist() == [0, 0, 0, 2**32 - 1, 4294967040, 3000000000, 2**32 - 1]
