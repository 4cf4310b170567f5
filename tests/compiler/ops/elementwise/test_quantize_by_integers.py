# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE of float32 on a core without floating point, around every place where its result goes up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support import core_cases
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.program import Target

Keys = npt.NDArray[np.int64]
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38, 1.2e-38)
SCALES = (1.2e-30, 1.2e-29, 1e-6, 0.0078125, 0.013, 1.0, 77.0, 8e21, 1e22)
"""The first and the last are divided by the library."""
_INFINITY, _SIGN = 0x7F800000, 0x7FFFFFFF


def float_of(keys: Keys) -> npt.NDArray[np.float32]:
    """Floats by keys, which are their bits as an int32, turned over for negative ones: of the same order."""
    return np.where(keys < 0, keys ^ _SIGN, keys).astype(np.int32).view(np.float32)


def quantized(values: npt.NDArray[np.float32], scale: float, zero_point: int, dtype: str) -> Keys:
    """TFLM's AffineQuantize; NaN gives the least."""
    with np.errstate(over="ignore", under="ignore"):
        quotient = (values / np.float32(scale)).astype(np.float64)
    quotient = np.where(np.isnan(quotient), -np.inf, quotient)
    nearest = np.trunc(quotient + np.copysign(0.5, quotient))
    return np.asarray(np.clip(nearest + zero_point, np.iinfo(dtype).min, np.iinfo(dtype).max), np.int64)


def steps(scale: float, zero_point: int, dtype: str, results: Keys) -> Keys:
    """For each of the results the least float32 that gives it, as a key."""
    low = np.full(results.shape, -_INFINITY - 1, np.int64)
    high = np.full(results.shape, _INFINITY, np.int64)
    while bool(np.any(low < high)):
        middle = (low + high) >> 1
        reached = quantized(float_of(middle), scale, zero_point, dtype) >= results
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle + 1)
    return low


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_the_result_goes_up_at_the_same_floats(dtype: str, tmp_path: Path) -> None:
    r = Random(3, 186)
    zero_points = [r.zero_point() if dtype == "int8" else 0 for _ in SCALES]
    results = np.arange(-127, 128) if dtype == "int8" else r.rng.integers(-32767, 32768, 255)
    programs, inputs, wanted = [], [], []
    for scale, zero_point in zip(SCALES, zero_points, strict=True):
        keys = steps(scale, zero_point, dtype, results)
        around = float_of((keys[:, None] + np.arange(-2, 3)).reshape(-1))
        values = np.concatenate([around, np.array(SPECIAL, np.float32)])

        def build(
            graph: GraphBuilder, scale: float = scale, zero_point: int = zero_point, size: int = values.size
        ) -> tuple[list[TensorRef], list[TensorRef]]:
            x = graph.input((1, size), "float32")
            y = graph.tensor((1, size), dtype, scale=scale, zero_point=zero_point)
            graph.op("QUANTIZE", [x], [y])
            return [x], [y]

        programs.append(core_cases.lowered(case("quantize", r, build).model, Target(), "portable"))
        inputs.append(values.tobytes())
        wanted.append(quantized(values, scale, zero_point, dtype).astype(dtype))
    image = core_cases.link(programs, tmp_path, "cortex-m0")
    for index, program in enumerate(programs):
        (output,), _ = core_cases.run(image, index, program, [inputs[index]], None)
        np.testing.assert_array_equal(np.frombuffer(output, dtype), wanted[index], str(SCALES[index]))
