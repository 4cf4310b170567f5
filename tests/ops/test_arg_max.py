"""ARG_MAX and ARG_MIN against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 48)
    shape = r.shape(r.integer(1, 4), 1, 6)
    axis = r.integer(0, len(shape) - 1)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input(shape, dtype, **r.quantization(dtype))
        y = graph.tensor(shape[:axis] + shape[axis + 1 :], "int32")
        written = axis - len(shape) if r.chance(0.3) else axis
        graph.op(op, [x, graph.constant(np.array(written, np.int32))], [y], output_type="int32")
        return [x], [y]

    return case(f"{op} {dtype} {shape} axis {axis} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", ["ARG_MAX", "ARG_MIN"])
def test_indices_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)
