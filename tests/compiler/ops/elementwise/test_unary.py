# SPDX-License-Identifier: Apache-2.0
"""Elementwise operators of one input against TFLM: every value of int8, many of int16 and float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tinyserve.compiler.ops.elementwise.unary import Rsqrt
from tinyserve.compiler.passes.load import load

CASES = 105
FIXED_OUTPUT: dict[str, dict[str, Any]] = {
    "LOGISTIC int8": {"scale": 1 / 256, "zero_point": -128},
    "TANH int8": {"scale": 1 / 128, "zero_point": 0},
    "LOGISTIC int16": {"scale": 1 / 32768},
    "TANH int16": {"scale": 1 / 32768},
}
FLOATS = [
    "LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH", "ABS", "NEG", "SQUARE", "SQRT",
    "RSQRT", "EXP", "LOG", "SIN", "COS", "FLOOR", "CEIL", "ROUND",
]  # fmt: skip


def options(r: Random, op: str) -> dict[str, Any]:
    return {"alpha": float(np.float32(r.choice((0.2, 0.01, 1.5, -0.3))))} if op == "LEAKY_RELU" else {}


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 12, len(op))
    scales = (1e-3, 2.0) if dtype == "int8" else (1e-5, 0.01)
    q = r.quantization(dtype, *scales)
    if dtype == "int16" and op in ("LOGISTIC", "TANH") and r.chance(0.3):
        q["scale"] = 2.0 ** -r.integer(10, 13)
    out = FIXED_OUTPUT.get(f"{op} {dtype}")
    if out is None:
        factor = r.choice((1.0, 1.0, 0.8, 3.0))
        most = 128 if dtype == "int8" else 32768
        unit = q["scale"] ** -0.5 / most if op == "RSQRT" else q["scale"]
        out = {"scale": float(np.float32(unit * factor)), "zero_point": r.zero_point(dtype)}
    model = ModelBuilder()
    graph = model.graph()
    if dtype == "int8":
        lowest = q["zero_point"] if op == "RSQRT" else -128
        values = np.arange(lowest, 128, dtype=np.int8)
    else:
        values = r.rng.integers(-32768, 32768, 300).astype(np.int16)
        values[:4] = (-32768, 32767, 0, -1)
        if op == "RSQRT":
            values = np.where(values < 0, np.arange(300), values).astype(np.int16)
    x = graph.input(values.shape, dtype, **q)
    y = graph.tensor(values.shape, dtype, **out)
    graph.op(op, [x], [y], **options(r, op))
    graph.output(y)
    return Case(f"{op} {dtype} {q} to {out} #{index}", model.build(), [[values]])


def float_case(index: int, op: str) -> Case:
    r = Random(index, 13, len(op))
    values = (r.rng.normal(size=200) * r.choice((0.01, 1.0, 10.0, 60.0))).astype(np.float32)
    values[:3] = (0.0, -0.0, 1.0)
    if op in ("SQRT", "RSQRT", "LOG"):
        values = np.abs(values) + np.float32(1e-6)
    if op in ("FLOOR", "CEIL", "ROUND"):
        values[3:8] = (0.5, 1.5, -0.5, -2.5, 3e9)
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input(values.shape, "float32"), graph.tensor(values.shape, "float32")
    graph.op(op, [x], [y], **options(r, op))
    graph.output(y)
    return Case(f"{op} float32 #{index}", model.build(), [[values]])


@pytest.mark.parametrize(
    "op", ["LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH", "ABS", "RSQRT"]
)
def test_int8_bytes_equal_tflm(op: str, tmp_path: Path) -> None:
    check([random_case(index, op, "int8") for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ABS", "RSQRT"])
def test_int16_bytes_equal_tflm(op: str, tmp_path: Path) -> None:
    check([random_case(index, op, "int16") for index in range(CASES)], tmp_path, at_least=100)


def plain_abs_case(index: int) -> Case:
    """int16 without a scale."""
    r = Random(index, 14)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = r.shape(r.integer(1, 4))
        x, y = graph.input(shape, "int16"), graph.tensor(shape, "int16")
        graph.op("ABS", [x], [y])
        return [x], [y]

    return case(f"ABS of plain int16 #{index}", r, build)


def test_abs_of_plain_int16_equals_tflm(tmp_path: Path) -> None:
    check([plain_abs_case(index) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", FLOATS)
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [float_case(index, op) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 2e-6))


def test_int8_rsqrt_below_the_zero_point_is_that_of_zero() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((4,), "int8", scale=0.5, zero_point=3)
    y = graph.tensor((4,), "int8", scale=0.02, zero_point=-128)
    graph.op("RSQRT", [x], [y])
    graph.output(y)
    [operator] = load(model.build()).main.nodes
    table = Rsqrt().table(operator)
    assert table[0] == table[3] == table[128] == table[255] == 127
    assert table[4] != 127
