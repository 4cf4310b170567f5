# SPDX-License-Identifier: Apache-2.0
"""Weights that the packed kernels take: factors below one, accumulators within 23 bits."""

from __future__ import annotations

import numpy as np

from tests.compiler.ops.generate import Random
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

FEATURES = frozenset({"dsp", "fpu"})
STACK_LIMIT = 450


def activation_of(r: Random) -> tuple[str, int]:
    """An activation and the output's zero point: mostly those that converters make, now and then any."""
    activation = r.choice(("NONE", "RELU", "RELU", "RELU6", "RELU_N1_TO_1"))
    if activation == "NONE" or r.chance(0.25):
        return activation, r.integer(-127, 127)
    return activation, -128


def quantized_weights(
    r: Random, graph: GraphBuilder, shape: tuple[int, ...], input_scale: float, per_channel: bool = True
) -> tuple[TensorRef, TensorRef, float]:
    """Weights with channels first, bias, and an output scale that uses the range or overflows it."""
    channels = shape[0]
    taps = int(np.prod(shape)) // channels
    values = r.rng.integers(-127, 128, shape).astype(np.int8)
    if r.chance(0.2):
        values[...] = r.choice((-127, 127))
    scales = [r.scale(0.004, 0.02) for _ in range(channels if per_channel else 1)]
    weights = graph.constant(values, scale=scales, zero_point=[0] * len(scales), axis=0)
    bias = r.rng.integers(-20000, 20000, channels).astype("int32")
    typical = input_scale * float(np.mean(scales)) * 73 * np.sqrt(taps)
    output_scale = float(np.float32(typical * r.choice((0.3, 1.0, 1.0, 4.0))))
    return weights, graph.constant(bias, scale=[input_scale * s for s in scales], axis=0), output_scale
