"""CUMSUM against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 102)
    shape = r.shape(r.integer(1, 4), 1, 6)
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
