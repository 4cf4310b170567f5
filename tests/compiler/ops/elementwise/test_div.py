# SPDX-License-Identifier: Apache-2.0
"""DIV, FLOOR_DIV and FLOOR_MOD against TFLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.elementwise_cases import binary_case, broadcast_shapes, output_shape
from tests.compiler.ops.generate import ACTIVATIONS, Random
from tests.support.differential import Case, Tolerance, check, run_c
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE
from tinyserve.errors import UnsupportedError

CASES = 115


class NonZero(Random):
    """Values away from zero, so that no result depends on a last bit."""

    def values(self, shape: Any, dtype: str) -> Any:
        return (super().values(shape, dtype) * 4).round() / 4 + np.float32(0.125)


class Int32Divisors(Random):
    """int32 values but for 0, small and large ones, which serve as dividends, too."""

    def values(self, shape: Any, dtype: str) -> Any:
        values = self.rng.integers(-(2**31) + 1, 2**31, shape) >> self.rng.integers(0, 31, shape)
        return np.where(values == 0, 1, values).astype(np.int32)


def div_s32_case(index: int) -> Case:
    r = Int32Divisors(index, 46)
    activation = r.choice(ACTIVATIONS)
    return binary_case(f"DIV int32 #{index}", r, "DIV", "int32", lambda q1, q2: {}, activation=activation)


def div_s8_case(index: int) -> Case:
    r = Random(index, 45)
    first, second = broadcast_shapes(r)
    scale1, scale2 = r.scale(0.005, 0.5), r.scale(0.005, 0.5)
    factor = r.scale(100.0, 4000.0)
    zero_point = r.zero_point()
    constant = r.chance(0.3)

    def divisors() -> Any:
        values = r.values(second, "int8")
        return np.where(values == zero_point, values ^ 1, values).astype(np.int8)

    model = ModelBuilder()
    graph = model.graph()
    a = graph.input(first, "int8", scale=scale1, zero_point=r.zero_point())
    q2: dict[str, Any] = {"scale": scale2, "zero_point": zero_point}
    b = graph.constant(divisors(), **q2) if constant else graph.input(second, "int8", **q2)
    scale = float(np.float32(scale1 / scale2 / factor))
    y = graph.tensor(output_shape(first, second), "int8", scale=scale, zero_point=r.zero_point())
    graph.op("DIV", [a, b], [y], activation=r.choice(ACTIVATIONS))
    graph.output(y)
    samples = [[r.values(first, "int8"), *([] if constant else [divisors()])] for _ in range(3)]
    return Case(f"DIV int8 x{factor:g} #{index}", model.build(), samples)


def random_case(index: int, op: str) -> Case:
    r = NonZero(index, 44)
    options = {"activation": r.choice(ACTIVATIONS)} if op == "DIV" else {}
    return binary_case(f"{op} #{index}", r, op, "float32", lambda q1, q2: {}, **options)


@pytest.mark.parametrize("op", ["DIV", "FLOOR_DIV", "FLOOR_MOD"])
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [random_case(index, op) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-6, 1e-6))


def test_int8_bytes_equal_tflm(tmp_path: Path) -> None:
    check([div_s8_case(index) for index in range(CASES)], tmp_path, at_least=100)


def test_int32_equals_tflm(tmp_path: Path) -> None:
    check([div_s32_case(index) for index in range(CASES)], tmp_path, at_least=100)


def every_quotient(zero_point: int, scale: float) -> bytes:
    """A model that divides all values by all but 0."""
    model = ModelBuilder()
    graph = model.graph()
    a = graph.input((256, 1), "int8", scale=0.5, zero_point=3)
    divisors = np.array([b for b in range(-128, 128) if b != zero_point], dtype=np.int8)
    b = graph.constant(divisors, scale=0.5, zero_point=zero_point)
    y = graph.tensor((256, 255), "int8", scale=scale, zero_point=-5)
    graph.op("DIV", [a, b], [y], activation="NONE")
    graph.output(y)
    return model.build()


@pytest.mark.parametrize("zero_point", [-128, 0, 127])
def test_every_int8_quotient_equals_tflm(zero_point: int, tmp_path: Path) -> None:
    values = np.arange(-128, 128, dtype=np.int8).reshape(256, 1)
    cases = [
        Case(f"divisor's zero point {zero_point}, {scale}", every_quotient(zero_point, scale), [[values]])
        for scale in (1 / 64, 2 / 255, 1 / 5000)
    ]
    check(cases, tmp_path, at_least=len(cases))


@pytest.mark.parametrize("scale, word", [(1 / 50, "large"), (2.0**-24, "small")])
def test_int8_scales_beyond_tflms_shifts_are_refused(scale: float, word: str) -> None:
    with pytest.raises(UnsupportedError, match=f"output scale .* is too {word}"):
        lower(load(every_quotient(0, scale)), PORTABLE, "case")


def test_divisors_that_tflm_leaves_undefined_end_no_inference(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    a, b = graph.input((3,), "int32"), graph.input((3,), "int32")
    y = graph.tensor((3,), "int32")
    graph.op("DIV", [a, b], [y], activation="NONE")
    graph.output(y)
    samples = [[np.array([7, -(2**31), 5], np.int32), np.array([0, -1, -1], np.int32)]]
    [[run, *_]] = run_c([(lower(load(model.build()), PORTABLE, "case"), samples)], tmp_path)
    assert run.outputs[0].tolist() == [7, -(2**31), -5]
