# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE and DEQUANTIZE against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 110
PAIRS = [
    ("float32", "int8"), ("float32", "int16"), ("int8", "int8"), ("int8", "uint8"), ("uint8", "int8"),
    ("int8", "int16"), ("int8", "int32"), ("int16", "int8"), ("int16", "int16"), ("int16", "int32"),
    ("int32", "int8"), ("int32", "int16"),
]  # fmt: skip


def scale_for(r: Random, dtype: str) -> dict[str, float]:
    scale = r.scale(1e-3, 0.5)
    wide = {"int16": 1 / 256, "int32": 1 / 2**20}.get(dtype, 1.0)
    zero_point = 0 if dtype in ("int16", "int32") else r.zero_point(dtype)
    return {"scale": float(np.float32(scale * wide)), "zero_point": zero_point}


def quantize(index: int, source: str, target: str) -> Case:
    r = Random(index, 14)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = r.shape(r.integer(1, 3), 1, 12)
        x = graph.input(shape, source, **({} if source == "float32" else scale_for(r, source)))
        y = graph.tensor(shape, target, **scale_for(r, target))
        graph.op("QUANTIZE", [x], [y])
        return [x], [y]

    return case(f"quantize {source} to {target} #{index}", r, build)


def dequantize(index: int, source: str) -> Case:
    r = Random(index, 15)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = r.shape(r.integer(1, 3), 1, 12)
        x = graph.input(shape, source, **scale_for(r, source))
        y = graph.tensor(shape, "float32")
        graph.op("DEQUANTIZE", [x], [y])
        return [x], [y]

    return case(f"dequantize {source} #{index}", r, build)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_quantize_equals_tflm(source: str, target: str, tmp_path: Path) -> None:
    check([quantize(index, source, target) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("source", ["int8", "uint8", "int16"])
def test_dequantize_equals_tflm(source: str, tmp_path: Path) -> None:
    check([dequantize(index, source) for index in range(CASES)], tmp_path, at_least=100)
