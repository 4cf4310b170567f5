"""What an integer accumulator becomes: the arithmetic of TFLM's reference kernels, in Python integers."""

from __future__ import annotations

from tinyserve.graph.types import Operator
from tinyserve.ops.quantize_params import (
    Requantization,
    activation_range,
    convolution_requantization,
    fully_connected_requantization,
)

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1


def wrap_int32(value: int) -> int:
    """Two's complement wrap-around, as an int32 accumulator has it."""
    return (value - _INT32_MIN) % 2**32 + _INT32_MIN


def multiply_by_quantized_multiplier(value: int, multiplier: int, shift: int) -> int:
    """value * multiplier * 2^(shift - 31), rounded twice (gemmlowp; TFLM's MultiplyByQuantizedMultiplier).

    ``value`` and the result are int32. The first rounding takes halves up, the second away from zero.
    """
    shifted = wrap_int32(value << max(shift, 0))
    saturates = shifted == multiplier == _INT32_MIN
    high = _INT32_MAX if saturates else (shifted * multiplier + (1 << 30)) >> 31
    right = max(-shift, 0)
    if right == 0:
        return high
    half = 1 << (right - 1)
    return (high + half) >> right if high >= 0 else -((-high + half) >> right)


class OutputStage:
    """Requantization, zero point and activation at the end of an int8 operator with weights."""

    def __init__(self, op: Operator) -> None:
        source, weights, output = op.inputs[0], op.inputs[1], op.outputs[0]
        assert source is not None and weights is not None
        parameters = (
            fully_connected_requantization if op.name == "FULLY_CONNECTED" else convolution_requantization
        )
        self._factors: Requantization = parameters(op, source, weights, output)
        self._zero_point = output.zero_point
        self._low, self._high = activation_range(op, op.attributes.activation, output)

    def __call__(self, accumulator: int, channel: int) -> int:
        """The int8 output of a channel whose accumulator (bias included) has this value."""
        entry = channel * self._factors.step
        scaled = multiply_by_quantized_multiplier(
            wrap_int32(accumulator), int(self._factors.multipliers[entry]), int(self._factors.shifts[entry])
        )
        return min(max(scaled + self._zero_point, self._low), self._high)
