# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE of float32 on cores without floating point: comparisons with where the result goes up.

The quotient and its rounding never go down, so all that a float32 does is to lie between two of those places.
They are searched for here with TFLM's own arithmetic, and by halving in ``kernels/quantize_steps.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.unary import add_elementwise
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate

Keys = npt.NDArray[np.int64]

VARIANT = "steps"
_COST, _PORTABLE_COST = 65.0, 650.0
"""Instructions per element; the portable kernel divides floats by the library."""
_GAIN = 70.0
"""Instructions per inference that a byte of flash must save where speed does not come first."""
_TABLE_BYTES = 4 * 255
_INFINITY = 0x7F800000
_SIGN = 0x7FFFFFFF


@dataclass(frozen=True)
class QuantizeStepsParams(Params, c_type="ts_quantize_steps_params"):
    elements: int
    steps: Constant


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for float32 to int8 where the table's bytes pay."""
    input, output = node.input("input"), node.output
    if (input.dtype, output.dtype) != (DType.FLOAT32, DType.INT8) or not _pays(output.elements, lowering):
        return []
    reason = "255 comparisons' places, halved eight times, in place of a division"
    return [Candidate(VARIANT, _COST * output.elements, reason, lambda: _lower(node, lowering))]


def _pays(elements: int, lowering: Lowering) -> bool:
    optimize = lowering.target.optimize
    saved = (_PORTABLE_COST - _COST) * elements
    return optimize == "speed" or (optimize != "size" and saved >= _GAIN * _TABLE_BYTES)


def _lower(node: Node, lowering: Lowering) -> None:
    output = node.output
    steps = step_keys(output.scale, output.zero_point).astype(np.int32)
    constant = lowering.constant(f"{output.name}_steps", steps, "floats by their bits, where results go up")
    add_elementwise(
        node,
        lowering,
        "ts_quantize_f32_s8_by_steps",
        QuantizeStepsParams(output.elements, constant),
        header="quantize_steps.h",
        variant=VARIANT,
    )


def step_keys(scale: float, zero_point: int) -> Keys:
    """For results from -127 to 127 the least float32 that gives them, as keys: see ``float_of``."""
    results = np.arange(-127, 128)
    low = np.full(results.shape, -_INFINITY - 1, np.int64)
    high = np.full(results.shape, _INFINITY, np.int64)
    while bool(np.any(low < high)):
        middle = (low + high) >> 1
        reached = quantized(float_of(middle), scale, zero_point) >= results
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle + 1)
    return low


def float_of(keys: Keys) -> npt.NDArray[np.float32]:
    """Floats by keys, which are their bits as an int32, turned over for negative ones: of the same order."""
    bits = np.where(keys < 0, keys ^ _SIGN, keys)
    return bits.astype(np.int32).view(np.float32)


def quantized(values: npt.NDArray[np.float32], scale: float, zero_point: int) -> Keys:
    """TFLM's AffineQuantize to int8."""
    with np.errstate(over="ignore", under="ignore"):
        quotient = (values / np.float32(scale)).astype(np.float64)
    nearest = np.trunc(quotient + np.copysign(0.5, quotient))
    return np.asarray(np.clip(nearest + zero_point, -128, 127), np.int64)
