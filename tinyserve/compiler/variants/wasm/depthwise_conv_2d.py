# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D in WebAssembly: two pixels by eight channels of int8, four by four of float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.wasm import conv_2d, packing

REASON = "channels side by side in vectors"
_BLOCK = 8


@dataclass(frozen=True)
class WasmDepthwiseConv2DParams(Params, c_type="ts_wasm_depthwise_conv_2d_params"):
    rows: packing.Rows
    pairs: int
    offsets: Constant
    weights: Constant
    requant: packing.WasmRequant


@dataclass(frozen=True)
class WasmDepthwiseConv2DF32Params(Params, c_type="ts_wasm_depthwise_conv_2d_f32_params"):
    rows: packing.Rows
    taps: int
    layer: layers.FloatLayer


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for layers of depth multiplier 1, or int8 of one input channel: a convolution."""
    input, weights = node.input("input"), node.input("weights")
    cost = node.output.elements * weights.shape[1] * weights.shape[2] * 0.4
    if weights.shape[3] == input.shape[3] and layers.is_float(node):
        return [Candidate("wasm", cost, REASON, lambda: _lower_f32(node, lowering))]
    if not layers.int8_only(node):
        return []
    assert weights.data is not None
    taps = np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0))
    if weights.shape[3] != input.shape[3]:
        return conv_2d.of_taps(node, lowering, taps) if input.shape[3] == 1 else []
    factors = convolution_requantization(node, input, weights, node.output)
    if not packing.fits(node, taps, factors):
        return []
    return [Candidate("wasm", cost, REASON, lambda: _lower(node, lowering))]


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    image = packing.Image(node, conv_window(node), _BLOCK)
    taps = weights.data.reshape(-1, image.channels).T
    factors = convolution_requantization(node, input, weights, output)
    offsets = image.tap_offsets()
    odd = len(offsets) % 2
    packed = packing.pairs(taps[:, None, :], _BLOCK)
    params = WasmDepthwiseConv2DParams(
        image.rows(),
        pairs=(len(offsets) + odd) // 2,
        offsets=lowering.constant(f"{weights.name}_offsets", np.array(offsets + [0] * odd, np.int32)),
        weights=lowering.constant(
            f"{weights.name}_wasm", packed, "taps in pairs, by 8 channels", packing.ALIGNMENT
        ),
        requant=packing.requantization(node, lowering, image.channels, factors, _BLOCK),
    )
    add_call(
        node,
        lowering,
        "ts_wasm_depthwise_conv_2d_s8",
        "wasm/depthwise_conv_2d.h",
        params=params,
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(node, lowering, DType.INT16)],
        macs=output.elements * len(offsets),
        variant="wasm",
        reason=REASON,
    )


def _lower_f32(node: Node, lowering: Lowering) -> None:
    weights, output = node.input("weights"), node.output
    assert weights.data is not None
    image = packing.Image(node, conv_window(node), packing.LANES)
    taps = weights.data.reshape(-1, image.channels).T
    layer = packing.float_layer(node, lowering, taps, image.tap_offsets())
    add_call(
        node,
        lowering,
        "ts_wasm_depthwise_conv_2d_f32",
        "wasm/depthwise_conv_2d.h",
        params=WasmDepthwiseConv2DF32Params(image.rows(), taps.shape[1], layer),
        inputs=[lowering.operand(node.input("input"))],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(node, lowering, DType.FLOAT32) if image.needs_padding else None],
        macs=output.elements * taps.shape[1],
        variant="wasm",
        reason=REASON,
    )
