# SPDX-License-Identifier: Apache-2.0
"""SOFTMAX against TFLM: all types; scales from tiny to such that only the maximum counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 120
OUTPUT = {
    ("int8", "int8"): {"scale": 1 / 256, "zero_point": -128},
    ("int8", "int16"): {"scale": 1 / 65536, "zero_point": -32768},
    ("int16", "int16"): {"scale": 1 / 32768},
    ("float32", "float32"): {},
}

SCALES = {"int8": (1e-4, 30.0), "int16": (1e-6, 1e-2)}


def random_case(index: int, dtype: str, output: str) -> Case:
    r = Random(index, 11)
    shape = (*r.shape(r.integer(0, 3), 1, 4), r.integer(1, 40))
    beta = r.choice((1.0, 1.0, 1.0, 0.5, 2.0))

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input(shape, dtype, **r.quantization(dtype, *SCALES.get(dtype, ())))
        y = graph.tensor(shape, output, **OUTPUT[dtype, output])
        graph.op("SOFTMAX", [x], [y], beta=beta)
        return [x], [y]

    return case(f"softmax {dtype} to {output} {shape} beta {beta} #{index}", r, build)


@pytest.mark.parametrize(("dtype", "output"), [("int8", "int8"), ("int8", "int16"), ("int16", "int16")])
def test_integer_bytes_equal_tflm(dtype: str, output: str, tmp_path: Path) -> None:
    check([random_case(index, dtype, output) for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32", "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-5))
