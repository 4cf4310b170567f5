# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D: each input channel is convolved alone. Kernels in ``kernels/depthwise_conv_2d.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.linear.conv_2d import (
    Convolution,
    LayerF32,
    LayerS8,
    LayerS16,
    add_convolution,
    check_convolution,
    computed_operands,
    conv_window,
    float_weights,
    int8_weights,
    int16_weights,
    suffix,
)
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.overlap import lead_bytes
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class _Shape(Params):
    window: Window
    depth_multiplier: int


@dataclass(frozen=True)
class DepthwiseConv2DS8Params(Params, c_type="ts_depthwise_conv_2d_s8_params"):
    shape: _Shape
    layer: LayerS8


@dataclass(frozen=True)
class DepthwiseConv2DS16Params(Params, c_type="ts_depthwise_conv_2d_s16_params"):
    shape: _Shape
    layer: LayerS16


@dataclass(frozen=True)
class DepthwiseConv2DF32Params(Params, c_type="ts_depthwise_conv_2d_f32_params"):
    shape: _Shape
    layer: LayerF32


class DepthwiseConv2D(Convolution):
    """Weights [1][height][width][input channels * multiplier]; bias as in CONV_2D. The multiplier follows
    from the shapes (TFLM takes it from there, too)."""

    name = "DEPTHWISE_CONV_2D"

    def check(self, node: Node) -> None:
        input, weights, output = node.input("input"), node.input("weights"), node.output
        for tensor, role in ((input, "input"), (weights, "weights"), (output, "output")):
            checks.rank(node, tensor, 4, role)
        channels = weights.shape[3]
        if channels % input.shape[3] or weights.shape[0] != 1:
            raise checks.invalid(
                node,
                f"weights {list(weights.shape)} are no multiple of the input's {input.shape[3]} channels",
            )
        checks.shape(node, output, (*output.shape[:3], channels), "output")
        check_convolution(node, axis=3, channels=channels)
        conv_window(node)

    def macs(self, node: Node) -> int:
        weights = node.input("weights")
        return node.output.elements * weights.shape[1] * weights.shape[2]

    def lower(self, node: Node, lowering: Lowering) -> None:
        if computed_operands(node) or not lowering.lower_variant("depthwise_conv_2d", node):
            self.lower_portable(node, lowering)

    def lower_portable(self, node: Node, lowering: Lowering) -> None:
        """With the portable kernel, whatever the target."""
        input, output = node.input("input"), node.output
        view = conv_window(node)
        shape = _Shape(view, output.shape[3] // input.shape[3])
        params: Params
        if input.dtype is DType.FLOAT32:
            params = DepthwiseConv2DF32Params(shape, float_weights(node, lowering))
        elif input.dtype is DType.INT16:
            params = DepthwiseConv2DS16Params(shape, int16_weights(node, lowering))
        else:
            params = DepthwiseConv2DS8Params(shape, int8_weights(node, lowering))
        lead = channelwise_lead(view, input, output)
        add_convolution(
            node, lowering, f"ts_depthwise_conv_2d_{suffix(input)}", params, lead=lead, macs=self.macs(node)
        )


def channelwise_lead(view: Window, input: Tensor, output: Tensor) -> int:
    """Lead of kernels whose output channels read one input channel each, channel after channel within a
    pixel.
    """
    multiplier = output.shape[3] // input.shape[3]
    source_channels = np.arange(output.shape[3], dtype=np.int64) // multiplier
    reads = view.first_reads()[:, None] * input.shape[3] + source_channels
    ends = np.arange(1, output.elements + 1, dtype=np.int64)
    return lead_bytes(reads.reshape(-1) * input.dtype.itemsize, ends * output.dtype.itemsize)


OPS = (DepthwiseConv2D(),)
