# SPDX-License-Identifier: Apache-2.0
"""Sums that lie between two outputs come out as TFLM's: the product of scales is the same to its last bit.

Random sums find a factor that is off by 2^-25 once in a million times. These are chosen so that a product of
scales in float32 gives the next output.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.ops.support.fixed_point import requantize

CASES = 12
_DEPTH = 8
_MOST = 7 * 127 * 100
"""Of a sum of seven products with 100."""


def _factor(real: float) -> tuple[int, int]:
    fraction, exponent = math.frexp(real)
    return round(fraction * 2**31), exponent


def _between(r: Random, one: float, other: float) -> list[int]:
    """Sums that the two factors take to different outputs."""
    found = list[int]()
    for _ in range(400):
        near = int((int(r.rng.integers(-100, 100)) + 0.5) / one)
        for sum_ in (near - 1, near, near + 1):
            outputs = {requantize(sum_, *_factor(real)) for real in (one, other)}
            if len(outputs) > 1 and abs(sum_) < _MOST:
                found.append(sum_)
    return found


def _chosen(seed: int) -> tuple[Random, tuple[float, float, float], list[int]]:
    """Scales of a left and a right operand and of the output, float32, and sums for which it matters."""
    r = Random(seed, 7)
    while True:
        left, right, out = (np.float32(r.rng.uniform(*ends)) for ends in ((0.01, 10), (0.01, 1), (1, 5000)))
        sums = _between(r, float(left) * float(right) / float(out), float(left * right) / float(out))
        if sums:
            return r, (float(left), float(right), float(out)), sums


def _factors_of(sum_: int) -> npt.NDArray[np.int8]:
    """Integers whose products with 100 seven times, and 1, add up to the sum."""
    whole, rest = divmod(sum_, 100)
    parts = [whole // 7 + (i < whole % 7) for i in range(7)]
    return np.array([*parts, rest], np.int8)


_WEIGHTS = np.array([100] * 7 + [1], np.int8)


def fully_connected(seed: int, dtype: str) -> Case:
    r, (left, right, out), sums = _chosen(seed)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, _DEPTH), dtype, scale=left, zero_point=0)
        y = graph.tensor((1, 1), dtype, scale=out, zero_point=0)
        graph.op("FULLY_CONNECTED", [x, graph.constant(_WEIGHTS[None], scale=right), None], [y])
        return [x], [y]

    made = case(f"fully connected {dtype} #{seed}", r, build)
    made.samples = [[_factors_of(sum_)[None].astype(dtype)] for sum_ in sums]
    return made


def batch_matmul(seed: int) -> Case:
    r, (left, right, out), sums = _chosen(seed)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        a = graph.input((1, 1, _DEPTH), "int8", scale=left, zero_point=0)
        b = graph.input((1, _DEPTH, 1), "int8", scale=right, zero_point=0)
        y = graph.tensor((1, 1, 1), "int8", scale=out, zero_point=0)
        graph.op("BATCH_MATMUL", [a, b], [y])
        return [a, b], [y]

    made = case(f"batch matmul #{seed}", r, build)
    made.samples = [[_factors_of(sum_)[None, None], _WEIGHTS[None, :, None]] for sum_ in sums]
    return made


def svdf(seed: int) -> Case:
    """The sums are biases of units: the state is zero."""
    r, (left, right, out), sums = _chosen(seed)
    units = len(sums)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, 4), "int8", scale=0.1, zero_point=0)
        features = graph.constant(np.zeros((units, 4), np.int8), scale=0.1)
        times = graph.constant(np.ones((units, 2), np.int16), scale=right)
        bias = graph.constant(np.array(sums, np.int32), scale=left * right)
        state = graph.tensor((1, 2 * units), "int16", scale=left, zero_point=0, variable=True)
        y = graph.tensor((1, units), "int8", scale=out, zero_point=0)
        graph.op("SVDF", [x, features, times, bias, state], [y], rank=1, activation="NONE")
        return [x], [y]

    return case(f"svdf #{seed}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_fully_connected(dtype: str, tmp_path: Path) -> None:
    check([fully_connected(seed, dtype) for seed in range(CASES)], tmp_path, at_least=CASES)


def test_batch_matmul(tmp_path: Path) -> None:
    check([batch_matmul(seed) for seed in range(CASES)], tmp_path, at_least=CASES)


def test_svdf(tmp_path: Path) -> None:
    check([svdf(seed) for seed in range(CASES)], tmp_path, at_least=CASES)
