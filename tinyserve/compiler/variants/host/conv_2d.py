# SPDX-License-Identifier: Apache-2.0
"""CONV_2D on the host: four pixels by up to 64 channels, of int8 four products per lane and step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Operator
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import ParamValue
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.host import floats, packing

REASON = "dot products of four, 16 channels in a block"


def candidates(op: Operator, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped convolutions of int8 or float32."""
    input, weights = checks.required(op, 0), checks.required(op, 1)
    if weights.shape[3] != input.shape[3]:
        return []
    macs = op.outputs[0].elements * weights.elements // weights.shape[0]
    if floats.applies(op):
        return [Candidate("host", macs * 0.1, floats.REASON, lambda: floats.lower_convolution(op, lowering))]
    if layers.int8_only(op):
        return [Candidate("host", macs * 0.03, REASON, lambda: _lower(op, lowering))]
    return []


def _lower(op: Operator, lowering: Lowering) -> None:
    weights = checks.required(op, 1)
    assert weights.data is not None
    lower_convolution(op, lowering, weights.data)


def lower_convolution(op: Operator, lowering: Lowering, taps: npt.NDArray[np.int8]) -> None:
    """The call for taps [output channels][height][width][input channels]."""
    input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    image = packing.Image(op, conv_window(op))
    runs = taps.reshape(len(taps), -1, image.run_length())
    factors = convolution_requantization(op, input, weights, output)
    requantization = packing.requantization(op, taps, factors)
    matmul: dict[str, ParamValue] = {
        "runs": runs.shape[1],
        "run_quads": -(-runs.shape[2] // packing.QUAD),
        "channels": len(taps),
        **packing.constants(op, lowering, packing.quads(runs), requantization, image.run_offsets()),
        **packing.output_fields(op),
    }
    add_call(
        op,
        lowering,
        "ts_host_conv_2d_s8",
        "host/conv_2d.h",
        params=image.rows() | {f"matmul.{name}": value for name, value in matmul.items()},
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(op, lowering)],
        params_type="ts_host_conv_2d_params",
        macs=output.elements * taps[0].size,
        variant="host",
        reason=REASON,
    )
