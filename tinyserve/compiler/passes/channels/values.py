# SPDX-License-Identifier: Apache-2.0
"""What operators make of channels that hold one known value: the arithmetic of their kernels, in Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyserve.compiler import ops
from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.unary import Unary
from tinyserve.compiler.ops.movement.pad import pad_value
from tinyserve.compiler.ops.reduction.reduce import Mean, reduction_of
from tinyserve.compiler.ops.support.fixed_point import requantize, wrap
from tinyserve.compiler.ops.support.quantize_params import (
    activation_range,
    convolution_requantization,
)
from tinyserve.compiler.passes.channels.state import Channels, Int64Array, Mask

_ZERO_STAYS_ZERO = frozenset({"RELU", "RELU6", "RELU_N1_TO_1", "AVERAGE_POOL_2D", "MAX_POOL_2D"})


def output_stage(node: Node) -> Callable[[int, int], int]:
    """How an int8 operator with weights ends: (accumulator with bias, channel) to output.

    Requantization, zero point and activation of TFLM's reference kernels.
    """
    source, weights, output = node.input("input"), node.input("weights"), node.output
    factors = convolution_requantization(node, source, weights, output)
    low, high = activation_range(node, node.attributes.activation, output)

    def stage(accumulator: int, channel: int) -> int:
        entry = channel * factors.step
        scaled = requantize(wrap(accumulator), int(factors.multipliers[entry]), int(factors.shifts[entry]))
        return min(max(scaled + output.zero_point, low), high)

    return stage


def after(node: Node, channels: Channels) -> tuple[Mask, Int64Array]:
    """Known channels and their values behind an operator that treats all channels alike.

    float32 and int16 channels are only ever known to be zero.
    """
    source, output = node.input("input"), node.output
    if node.name in ("PAD", "PADV2"):
        return channels.known & (channels.value == pad_value(node)), channels.value
    if source.dtype is not output.dtype:
        return np.zeros_like(channels.known), channels.value
    if output.dtype is not DType.INT8:
        stays = node.name in _ZERO_STAYS_ZERO
        return channels.known if stays else np.zeros_like(channels.known), channels.value
    values = _int8_values(node, channels.value)
    return (np.zeros_like(channels.known), channels.value) if values is None else (channels.known, values)


def _int8_values(node: Node, values: Int64Array) -> Int64Array | None:
    """Values behind an int8 operator, None where no rule says what they become."""
    if node.name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return np.clip(values, *activation_range(node, node.attributes.activation, node.output))
    if node.name == "MEAN":
        return _means(node, values)
    known = ops.registry().get(node.name)
    if isinstance(known, Unary):
        return np.asarray(known.table(node).view(np.int8).astype(np.int64)[values & 0xFF])
    return None


def _means(node: Node, values: Int64Array) -> Int64Array:
    """TFLM's QuantizedMeanOrSum of ``count`` equal values."""
    source, output = node.input("input"), node.output
    count = reduction_of(node).count
    multiplier, shift = Mean().factor(node, count)
    means = [
        requantize(wrap((value - source.zero_point) * count), multiplier, shift) + output.zero_point
        for value in values.tolist()
    ]
    return np.clip(np.array(means, dtype=np.int64), -128, 127)
