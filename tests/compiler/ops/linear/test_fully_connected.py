# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED against TFLM: any input rank, per-channel and per-tensor, with and without bias."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import ACTIVATIONS, Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.run_time import computed_weights

CASES = 130


def random_case(
    index: int, dtype: str, asymmetric: bool = False, bias_dtype: str = "", weights_dtype: str = "int8"
) -> Case:
    r = Random(index, 3)
    depth, channels = r.integer(1, 40), r.integer(1, 12)
    outer = r.choice(((1,), (1,), (3,), (1, 2), (1, 2, 2)))
    keep = len(outer) > 1 and r.chance(0.6)
    rows = int(np.prod(outer))
    # TFLM has int4 weights with a single scale alone.
    per_channel = dtype == "int8" and r.chance(0.4) and not asymmetric and weights_dtype == "int8"

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        quantization = r.quantization(dtype)
        x = graph.input((*outer, depth), dtype, **quantization)
        out_shape = (*outer, channels) if keep or len(outer) == 1 else (rows, channels)
        if dtype == "float32":
            w = graph.constant(r.values((channels, depth), "float32"))
            b = graph.constant(r.values((channels,), "float32")) if r.chance(0.8) else None
            y = graph.tensor(out_shape, dtype)
        else:
            scales = [r.scale(1e-3, 0.1) for _ in range(channels if per_channel else 1)]
            low, high = (-8, 7) if weights_dtype == "int4" else (-127, 127)
            values = r.rng.integers(low, high + 1, (channels, depth)).astype(np.int8)
            points = [r.zero_point() if asymmetric else 0] * len(scales)
            w = graph.constant(values, scale=scales, zero_point=points, dtype=weights_dtype, axis=0)
            product = [float(np.float32(quantization["scale"]) * np.float32(s)) for s in scales]
            span = 2**31 - 1 if r.chance(0.1) and dtype == "int8" else 20000
            kind = bias_dtype or ("int32" if dtype == "int8" else "int64")
            bias = r.rng.integers(-span, span, channels).astype(kind)
            b = graph.constant(bias, scale=product, zero_point=[0] * len(product)) if r.chance(0.8) else None
            typical = float(np.mean(product)) * 75 * np.sqrt(depth) * (1 if dtype == "int8" else 1.5)
            scale = float(np.float32(typical * r.choice((1.0, 1.0, 1.0, 0.1, 1e-3, 30.0))))
            y = graph.tensor(out_shape, dtype, scale=scale, zero_point=r.zero_point(dtype))
        graph.op(
            "FULLY_CONNECTED", [x, w, b], [y], activation=r.choice(ACTIVATIONS), keep_num_dims=keep
        )  # fmt: skip
        return [x], [y]

    return case(f"fully connected {dtype} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_int4_weights_give_tflms_bytes(tmp_path: Path) -> None:
    cases = [random_case(index, "int8", weights_dtype="int4") for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_int16_with_a_bias_of_int32_equals_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "int16", index % 4 == 0, "int32") for index in range(CASES)]
    computed = [computed_weights(case, index) for index, case in enumerate(cases)]
    check(cases[::2] + computed[1::2], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_computed_weights_give_tflms_bytes(dtype: str, tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, dtype), index) for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_computed_float_weights_are_close_to_tflm(tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, "float32"), index) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-4, 1e-5))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_weights_have_the_zero_point_that_tflm_subtracts(dtype: str, tmp_path: Path) -> None:
    cases = [random_case(index, dtype, asymmetric=True) for index in range(CASES)]
    computed = [computed_weights(case, index) for index, case in enumerate(cases)]
    check(cases[::2] + computed[1::2], tmp_path, at_least=100)
