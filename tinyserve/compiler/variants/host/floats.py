# SPDX-License-Identifier: Apache-2.0
"""float32 layers on the host: 16 channels side by side, each with its sums in the portable kernels' order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.records import float_clamp
from tinyserve.compiler.program import Buffer, Params
from tinyserve.compiler.variants import blocks, layers
from tinyserve.compiler.variants.host import packing
from tinyserve.compiler.variants.host.packing import ALIGNMENT, LANES

REASON = "16 channels side by side, sums in the portable order"
_ITEM = 4
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class HostMatmulF32(Params, c_type="ts_host_matmul_f32"):
    runs: int
    run_length: int
    channels: int
    layer: layers.FloatLayer


@dataclass(frozen=True)
class HostConv2DF32Params(Params, c_type="ts_host_conv_2d_f32_params"):
    rows: packing.Rows
    matmul: HostMatmulF32


@dataclass(frozen=True)
class HostFullyConnectedF32Params(Params, c_type="ts_host_fully_connected_f32_params"):
    rows: int
    depth: int
    matmul: HostMatmulF32


@dataclass(frozen=True)
class HostDepthwiseConv2DF32Params(Params, c_type="ts_host_depthwise_conv_2d_f32_params"):
    stretches: packing.Stretches
    taps: int
    layer: layers.FloatLayer


def lower_convolution(node: Node, lowering: Lowering) -> None:
    """CONV_2D, ungrouped."""
    weights = node.input("weights")
    assert weights.data is not None
    image = packing.Image(node, conv_window(node))
    padded = image.scratch(node, lowering, DType.FLOAT32) if image.needs_padding else None
    matmul = _matmul(node, lowering, weights.data.reshape(len(weights.data), -1), image.run_offsets())
    products = weights.elements // weights.shape[0]
    params = HostConv2DF32Params(image.rows(), matmul)
    _add_call(node, lowering, "conv_2d", params, products=products, scratch=padded)


def lower_fully_connected(node: Node, lowering: Lowering) -> None:
    """FULLY_CONNECTED."""
    input, weights = node.input("input"), node.input("weights")
    assert weights.data is not None
    depth = weights.shape[1]
    matmul = _matmul(node, lowering, weights.data, [0])
    params = HostFullyConnectedF32Params(input.elements // depth, depth, matmul)
    _add_call(node, lowering, "fully_connected", params, products=depth)


def lower_depthwise(node: Node, lowering: Lowering) -> None:
    """DEPTHWISE_CONV_2D of depth multiplier 1."""
    weights = node.input("weights")
    assert weights.data is not None
    image = packing.Image(node, conv_window(node))
    stretches, lanes = image.stretches()
    taps = weights.data.reshape(-1, image.channels).T
    bias = biases.bias(node, image.channels, np.float32)[lanes]
    layer = _constants(node, lowering, taps[lanes], bias, image.tap_offsets())
    params = HostDepthwiseConv2DF32Params(stretches, taps.shape[1], layer)
    padded = image.scratch(node, lowering, DType.FLOAT32)
    _add_call(node, lowering, "depthwise_conv_2d", params, products=taps.shape[1], scratch=padded)


def _matmul(node: Node, lowering: Lowering, rows: Floats, offsets: list[int]) -> HostMatmulF32:
    """For weights [channels][values]."""
    layer = _constants(node, lowering, rows, biases.bias(node, len(rows), np.float32), offsets)
    return HostMatmulF32(len(offsets), rows.shape[1] // len(offsets), len(rows), layer)


def _constants(
    node: Node, lowering: Lowering, rows: Floats, bias: Floats, offsets: list[int]
) -> layers.FloatLayer:
    """Weights [lanes][values] as [blocks of 16][values][16], biases by 16, and the bounds of a result."""
    name = node.input("weights").name
    weights = blocks.side_by_side(rows, LANES)
    return layers.FloatLayer(
        offsets=lowering.constant(f"{name}_offsets", np.array(offsets, dtype=np.int32)),
        weights=lowering.constant(f"{name}_host", weights, "16 channels side by side", ALIGNMENT),
        bias=lowering.constant(f"{name}_biases", blocks.whole(bias, LANES), "by 16", ALIGNMENT),
        activation=float_clamp(node.attributes.activation),
    )


def _add_call(
    node: Node,
    lowering: Lowering,
    kernel: str,
    params: Params,
    *,
    products: int,
    scratch: Buffer | None = None,
) -> None:
    output = node.output
    add_call(
        node,
        lowering,
        f"ts_host_{kernel}_f32",
        f"host/{kernel}.h",
        params=params,
        inputs=[lowering.operand(node.input("input"))],
        outputs=[lowering.buffer(output)],
        scratch=() if kernel == "fully_connected" else (scratch,),
        macs=output.elements * products,
        variant="host",
        reason=REASON,
    )
