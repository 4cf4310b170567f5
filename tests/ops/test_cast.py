"""CAST against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 105
TYPES = ["int8", "int16", "int32", "float32"]


def random_case(index: int, source: str, target: str) -> Case:
    r = Random(index, 51)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = r.shape(r.integer(1, 3), 1, 8)
        x, y = graph.input(shape, source), graph.tensor(shape, target)
        graph.op("CAST", [x], [y])
        return [x], [y]

    return case(f"cast {source} to {target} #{index}", r, build)


@pytest.mark.parametrize("target", TYPES)
@pytest.mark.parametrize("source", ["bool", *TYPES])
def test_values_equal_tflm(source: str, target: str, tmp_path: Path) -> None:
    check([random_case(index, source, target) for index in range(CASES)], tmp_path, at_least=100)
