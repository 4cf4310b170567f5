# SPDX-License-Identifier: Apache-2.0
"""Why no variant takes a layer, in the words of a report."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.transpose_conv import as_convolution
from tinyserve.compiler.ops.support.quantize_params import (
    convolution_requantization,
    fully_connected_requantization,
)
from tinyserve.errors import TinyserveError

_MOST_STRIDE = 4  # of planes
_LINEAR: dict[str, Callable[[Node], Node]] = {
    "conv_2d": lambda node: node,
    "depthwise_conv_2d": lambda node: node,
    "fully_connected": lambda node: node,
    "transpose_conv": as_convolution,
}


def reason(name: str, node: Node) -> str:
    """What the core's kernels ask of the layer and it has not; empty where that is not known."""
    view = _LINEAR.get(name)
    if view is None:
        return ""
    try:
        return _linear(name, view(node))
    except TinyserveError:  # factors that no kernel computes are reported by the operator itself
        return ""


def _linear(name: str, node: Node) -> str:
    input, weights = node.input("input"), node.input("weights")
    if input.dtype is DType.FLOAT32:
        return "no float32 kernel for this core"
    if weights.dtype is not DType.INT8:
        return f"weights are {weights.dtype.value}, kernels take int8"
    return _large_factor(name, node) or _shape(name, node)


def _large_factor(name: str, node: Node) -> str:
    tensors = node.input("input"), node.input("weights"), node.output
    of = fully_connected_requantization if name == "fully_connected" else convolution_requantization
    factors = of(node, *tensors)
    large = np.flatnonzero(factors.shifts > -1)
    where = f" in channel {large[0]}" if large.size and len(factors.shifts) > 1 else ""
    return f"the factor from sum to output is 0.5 or more{where}" if large.size else ""


def _shape(name: str, node: Node) -> str:
    input = node.input("input")
    if input.shape[0] != 1:
        return f"a batch of {input.shape[0]}: kernels of this core take one image"
    strides = [getattr(node.attributes, axis, 1) for axis in ("stride_height", "stride_width")]
    if name == "depthwise_conv_2d" and min(strides) > _MOST_STRIDE:
        return f"strides {strides[0]} and {strides[1]}: kernels take up to {_MOST_STRIDE} along one axis"
    if input.dtype is DType.INT16:
        return "sums or factors of int16 activations that 32 bits do not hold"
    return "a shape, or sums whose bounds the core's kernels do not hold"
