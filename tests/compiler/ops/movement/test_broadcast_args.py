# SPDX-License-Identifier: Apache-2.0
"""BROADCAST_ARGS against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.elementwise_cases import broadcast_shapes
from tests.compiler.ops.generate import Random
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import ModelBuilder

CASES = 120


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    cases = []
    for index in range(CASES):
        r = Random(index, 107)
        shapes = [shape or (1,) for shape in broadcast_shapes(r, 5)]
        model = ModelBuilder()
        graph = model.graph()
        inputs = [graph.input((len(shape),), dtype) for shape in shapes]
        y = graph.tensor((max(map(len, shapes)),), dtype)
        graph.op("BROADCAST_ARGS", inputs, [y])
        graph.output(y)
        cases.append(
            Case(f"{shapes} #{index}", model.build(), [[np.array(shape, dtype) for shape in shapes]])
        )
    check(cases, tmp_path, at_least=100)
