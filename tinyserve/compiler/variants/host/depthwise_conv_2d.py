# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on the host: 16 channels at a time, of int8 four taps per dot product."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Operator
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import ParamValue
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.host import conv_2d, floats, packing

REASON = "16 channels at a time, dot products of four taps"


def candidates(op: Operator, lowering: Lowering) -> list[Candidate]:
    """One candidate for layers of depth multiplier 1, or int8 of one input channel: a convolution."""
    input, weights = checks.required(op, 0), checks.required(op, 1)
    cost = op.outputs[0].elements * weights.shape[1] * weights.shape[2] * 0.1
    if weights.shape[3] == input.shape[3]:
        if floats.applies(op):
            return [Candidate("host", cost, floats.REASON, lambda: floats.lower_depthwise(op, lowering))]
        if layers.int8_only(op):
            return [Candidate("host", cost, REASON, lambda: _lower(op, lowering))]
    elif input.shape[3] == 1 and layers.int8_only(op):
        return [Candidate("host", cost, conv_2d.REASON, lambda: _lower_as_convolution(op, lowering))]
    return []


def _lower_as_convolution(op: Operator, lowering: Lowering) -> None:
    weights = checks.required(op, 1)
    assert weights.data is not None
    conv_2d.lower_convolution(op, lowering, np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0)))


def _lower(op: Operator, lowering: Lowering) -> None:
    input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    assert weights.data is not None
    image = packing.Image(op, conv_window(op))
    fields, lanes = image.stretches()
    taps = weights.data.reshape(-1, image.channels).T
    factors = convolution_requantization(op, input, weights, output)
    offsets = image.tap_offsets()
    quads = -(-len(offsets) // packing.QUAD)
    params: dict[str, ParamValue] = {
        **fields,
        "quads": quads,
        **packing.constants(
            op,
            lowering,
            packing.quads(taps[lanes][:, None, :]),
            packing.requantization(op, taps, factors)[:, lanes],
            offsets + [0] * (quads * packing.QUAD - len(offsets)),
        ),
        **packing.output_fields(op),
    }
    add_call(
        op,
        lowering,
        "ts_host_depthwise_conv_2d_s8",
        "host/depthwise_conv_2d.h",
        params=params,
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(op, lowering)],
        params_type="ts_host_depthwise_conv_2d_params",
        macs=output.elements * len(offsets),
        variant="host",
        reason=REASON,
    )
