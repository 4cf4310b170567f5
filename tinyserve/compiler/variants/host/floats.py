# SPDX-License-Identifier: Apache-2.0
"""float32 layers on the host: 16 channels side by side, each with its sums in the portable kernels' order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import float_range
from tinyserve.compiler.program import Buffer, ParamValue
from tinyserve.compiler.variants.host import packing
from tinyserve.compiler.variants.host.packing import ALIGNMENT, LANES

REASON = "16 channels side by side, sums in the portable order"
_ITEM = 4
Floats = npt.NDArray[np.float32]


def applies(node: Node) -> bool:
    """float32 activations and constant weights."""
    return node.input("input").dtype is DType.FLOAT32 and node.input("weights").data is not None


def lower_convolution(node: Node, lowering: Lowering) -> None:
    """CONV_2D, ungrouped."""
    weights = node.input("weights")
    assert weights.data is not None
    image = packing.Image(node, conv_window(node))
    padded = image.scratch(node, lowering, _ITEM) if image.needs_padding else None
    matmul = _matmul(node, lowering, weights.data.reshape(len(weights.data), -1), image.run_offsets())
    products = weights.elements // weights.shape[0]
    _add_call(node, lowering, "conv_2d", image.rows() | matmul, products=products, scratch=padded)


def lower_fully_connected(node: Node, lowering: Lowering) -> None:
    """FULLY_CONNECTED."""
    input, weights = node.input("input"), node.input("weights")
    assert weights.data is not None
    depth = weights.shape[1]
    params: dict[str, ParamValue] = {"rows": input.elements // depth, "depth": depth}
    params |= _matmul(node, lowering, weights.data, [0])
    _add_call(node, lowering, "fully_connected", params, products=depth)


def lower_depthwise(node: Node, lowering: Lowering) -> None:
    """DEPTHWISE_CONV_2D of depth multiplier 1."""
    weights = node.input("weights")
    assert weights.data is not None
    image = packing.Image(node, conv_window(node))
    fields, lanes = image.stretches()
    taps = weights.data.reshape(-1, image.channels).T
    params: dict[str, ParamValue] = {
        **fields,
        "taps": taps.shape[1],
        **_constants(node, lowering, taps[lanes], _bias(node, image.channels)[lanes], image.tap_offsets()),
    }
    padded = image.scratch(node, lowering, _ITEM)
    _add_call(node, lowering, "depthwise_conv_2d", params, products=taps.shape[1], scratch=padded)


def _matmul(node: Node, lowering: Lowering, rows: Floats, offsets: list[int]) -> dict[str, ParamValue]:
    """``ts_host_matmul_f32`` for weights [channels][values], field by field."""
    fields: dict[str, ParamValue] = {
        "runs": len(offsets),
        "run_length": rows.shape[1] // len(offsets),
        "channels": len(rows),
        **_constants(node, lowering, rows, _bias(node, len(rows)), offsets),
    }
    return {f"matmul.{name}": value for name, value in fields.items()}


def _bias(node: Node, channels: int) -> Floats:
    """Zeros where there is none: a sum that starts from +0 is never -0, the only value that +0 changes."""
    bias = node.optional("bias")
    if bias is None or bias.data is None:
        return np.zeros(channels, np.float32)
    return np.asarray(bias.data, dtype=np.float32).reshape(-1)


def _constants(
    node: Node, lowering: Lowering, rows: Floats, bias: Floats, offsets: list[int]
) -> dict[str, ParamValue]:
    """Weights [lanes][values] as [blocks of 16][values][16], biases by 16, and the bounds of a result."""
    name = node.input("weights").name
    lanes, values = rows.shape
    blocks = -(-lanes // LANES)
    weights = np.zeros((blocks * LANES, values), dtype=np.float32)
    weights[:lanes] = rows
    biases = np.zeros(blocks * LANES, dtype=np.float32)
    biases[:lanes] = bias
    packed = weights.reshape(blocks, LANES, values).transpose(0, 2, 1)
    low, high = float_range(node.attributes.activation)
    return {
        "offsets": lowering.constant(f"{name}_offsets", np.array(offsets, dtype=np.int32)),
        "weights": lowering.constant(f"{name}_host", packed, "16 channels side by side", ALIGNMENT),
        "bias": lowering.constant(f"{name}_biases", biases, "by 16", ALIGNMENT),
        "activation_min": low,
        "activation_max": high,
    }


def _add_call(
    node: Node,
    lowering: Lowering,
    kernel: str,
    params: dict[str, ParamValue],
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
