"""MIRROR_PAD against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 70)
    shape = r.shape(r.integer(1, 4), 1, 5)
    mode = r.choice(("REFLECT", "SYMMETRIC"))
    most = [extent - (mode == "REFLECT") for extent in shape]
    table = np.array([[r.integer(0, limit), r.integer(0, limit)] for limit in most], dtype=np.int32)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        y = graph.tensor(np.array(shape) + table.sum(axis=1), dtype, **q)
        graph.op("MIRROR_PAD", [x, graph.constant(table)], [y], mode=mode)
        return [x], [y]

    return case(f"mirror pad {dtype} {shape} {table.tolist()} {mode} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)
