# SPDX-License-Identifier: Apache-2.0
"""Requantization parameters, computed as TFLM computes them when it prepares an operator.

All of it is done at compile time in the very precision that TFLM uses (float32 here, float64 there), since
a multiplier that differs in its last bit gives other bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support.base import unsupported

INTEGER_RANGE = {
    DType.INT8: (-128, 127),
    DType.UINT8: (0, 255),
    DType.INT16: (-32768, 32767),
    DType.INT32: (-(2**31), 2**31 - 1),
}
FLOAT_MAX = float(np.finfo(np.float32).max)
_MAX_SHIFT = 30


class Activation(Enum):
    """Fused activation functions, by their number in the schema."""

    NONE = 0
    RELU = 1
    RELU_N1_TO_1 = 2
    RELU6 = 3
    TANH = 4
    SIGN_BIT = 5
    UNKNOWN = -1
    RELU_0_TO_1 = -2  # an operator of its own alone: the schema has no number for it

    @classmethod
    def read(cls, options: Options) -> Activation:
        """The fused activation; UNKNOWN for numbers that the schema does not have."""
        value = options.int8("fused_activation_function")
        return cls(value) if value >= 0 and value in cls._value2member_map_ else cls.UNKNOWN

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lower and upper bound of the real value, None where there is none."""
        return _BOUNDS[self]


_BOUNDS: dict[Activation, tuple[float | None, float | None]] = {
    Activation.NONE: (None, None),
    Activation.RELU: (0.0, None),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_0_TO_1: (0.0, 1.0),
}


def check_activation(node: Node, activation: Activation) -> None:
    """Raises UnsupportedError for activations that no kernel fuses."""
    if activation not in _BOUNDS:
        raise unsupported(
            node, f"fused activation {activation.name} is not supported", "use a separate activation layer"
        )


def round_half_away(value: float) -> int:
    """To the nearest integer, ties away from zero: C's round()."""
    whole = math.floor(abs(value))
    rounded = whole + (1 if abs(value) - whole >= 0.5 else 0)
    return rounded if value >= 0 else -rounded


def quantize_multiplier(real: float) -> tuple[int, int]:
    """``real`` as multiplier * 2^(shift - 31), multiplier in [2^30, 2^31): TFLM's QuantizeMultiplier."""
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def requantization(node: Node, real: float) -> tuple[int, int]:
    """``quantize_multiplier`` for a kernel. Raises UnsupportedError where the shift would exceed 30 bits."""
    if not math.isfinite(real):
        raise unsupported(
            node, "its output's scale is zero", "quantize the model again with representative data"
        )
    multiplier, shift = quantize_multiplier(real)
    if shift > _MAX_SHIFT:
        raise unsupported(
            node,
            f"the input's scale is {real:.3g} times the output's",
            "quantize the model again with representative data that covers its range",
        )
    return multiplier, shift


def ratio(numerator: float, denominator: float) -> float:
    """numerator / denominator, infinite for a zero denominator."""
    return numerator / denominator if denominator else math.inf


def channel_scales(weights: Tensor) -> tuple[float, ...]:
    """The weights' scales: one, or one per output channel."""
    assert weights.quantization is not None
    return weights.quantization.scales


@dataclass(frozen=True)
class Requantization:
    """Multipliers (int32) and shifts (int8), one per output channel or a single one of each (``step`` 0)."""

    multipliers: npt.NDArray[np.int32]
    shifts: npt.NDArray[np.int8]

    @property
    def step(self) -> int:
        return 1 if self.multipliers.size > 1 else 0

    def per_channel(self, channels: int) -> Requantization:
        """The same with one entry per channel, for kernels that want arrays."""
        if self.multipliers.size == channels:
            return self
        return Requantization(np.repeat(self.multipliers, channels), np.repeat(self.shifts, channels))


def convolution_requantization(node: Node, input: Tensor, weights: Tensor, output: Tensor) -> Requantization:
    """From accumulator to output, in float64, of fully connected layers, too: TFLM's wheel does not round the
    products of scales that its source writes in float32.
    """
    pairs = [
        requantization(node, ratio(input.scale * scale, output.scale)) for scale in channel_scales(weights)
    ]
    return _requantization_of(pairs)


def _requantization_of(pairs: list[tuple[int, int]]) -> Requantization:
    distinct = pairs[:1] if len(set(pairs)) == 1 else pairs
    return Requantization(
        np.array([multiplier for multiplier, _ in distinct], dtype=np.int32),
        np.array([shift for _, shift in distinct], dtype=np.int8),
    )


def activation_range(node: Node, activation: Activation, output: Tensor) -> tuple[int, int]:
    """Quantized bounds of the output: CalculateActivationRangeQuantized (the division is in float32)."""
    low, high = INTEGER_RANGE[output.dtype]
    lower, upper = activation.bounds
    if lower is not None:
        low = max(low, output.zero_point + _quantized(node, lower, output.scale))
    if upper is not None:
        high = min(high, output.zero_point + _quantized(node, upper, output.scale))
    if low > high:
        raise unsupported(
            node,
            f"its activation {activation.name} lies outside of what the output's quantization can represent",
            "quantize the model again with representative data",
        )
    return low, high


def _quantized(node: Node, value: float, scale: float) -> int:
    with np.errstate(all="ignore"):
        steps = np.float32(value) / np.float32(scale)
    if value != 0.0 and not abs(steps) < 2**31:
        raise unsupported(
            node, f"output scale {scale:g} is too small for its activation", "quantize the model again"
        )
    return round_half_away(float(steps)) if value != 0.0 else 0


def float_range(activation: Activation) -> tuple[float, float]:
    """Bounds of a float32 output."""
    lower, upper = activation.bounds
    return (-FLOAT_MAX if lower is None else lower, FLOAT_MAX if upper is None else upper)


def int32_range(activation: Activation) -> tuple[int, int]:
    """Bounds of an unquantized int32 output."""
    lower, upper = activation.bounds
    low, high = INTEGER_RANGE[DType.INT32]
    return (low if lower is None else int(lower), high if upper is None else int(upper))
