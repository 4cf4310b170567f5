# SPDX-License-Identifier: Apache-2.0
"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 115


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 46)
    batches, height, width, channels = r.choice((1, 2)), r.integer(1, 7), r.integer(1, 7), r.integer(1, 4)
    size = (r.integer(1, 14), r.integer(1, 14))
    modes = [{}, {"align_corners": True}, {"half_pixel_centers": True}]
    if op == "RESIZE_NEAREST_NEIGHBOR":  # TFLM refuses both at once for the other one
        modes.append({"align_corners": True, "half_pixel_centers": True})
    mode = r.choice(modes)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        x = graph.input((batches, height, width, channels), dtype, **q)
        y = graph.tensor((batches, *size, channels), dtype, **q)
        graph.op(op, [x, graph.constant(np.array(size, np.int32))], [y], **mode)
        return [x], [y]

    return case(f"{op} {dtype} {height}x{width} to {size} {mode} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_nearest_equals_tflm(dtype: str, tmp_path: Path) -> None:
    cases = [random_case(index, "RESIZE_NEAREST_NEIGHBOR", dtype) for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_bilinear_bytes_equal_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "RESIZE_BILINEAR", "int8") for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_bilinear_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "RESIZE_BILINEAR", "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))
