# SPDX-License-Identifier: Apache-2.0
"""Why no variant takes a layer, in the words of a report."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.linear.transpose_conv import as_convolution
from tinyserve.compiler.ops.support.quantize_params import (
    convolution_requantization,
)
from tinyserve.errors import TinyserveError

_MOST_STRIDE = 4  # of planes
_LINEAR: dict[str, Callable[[Node], Node]] = {
    "conv_2d": lambda node: node,
    "depthwise_conv_2d": lambda node: node,
    "fully_connected": lambda node: node,
    "transpose_conv": as_convolution,
}


def _sum(node: Node) -> str:
    inputs = node.input("input1"), node.input("input2")
    if node.output.dtype is not DType.INT8:
        return _type_of(node.output)
    if any(tensor.shape != node.output.shape for tensor in inputs):
        return "an input is repeated: kernels take two of one shape"
    return "factors that the kernels' tables do not hold, or fewer elements than tables are worth"


def _product(node: Node) -> str:
    return (
        _type_of(node.output)
        or "the factor from product to output is a power of two, or more than the kernel holds"
    )


def _pool(node: Node) -> str:
    return _type_of(node.input("input")) or "an average of more taps than 16 bits hold"


def _matrices(node: Node) -> str:
    if node.attributes.adjoint_left:
        return "the left matrix is transposed"
    return _type_of(node.input("input1")) or "sums that 30 bits do not hold after their shift"


def _recurrent(node: Node) -> str:
    if node.input("input").dtype is DType.FLOAT32:
        return _type_of(node.input("input"))
    return "weights that are computed, or sums that 32 bits do not hold"


def _quantization(node: Node) -> str:
    types = node.input("input").dtype, node.output.dtype
    if types != (DType.FLOAT32, DType.INT8):
        return f"{types[0].value} to {types[1].value}: the kernel takes float32 to int8"
    return "fewer elements than its table is worth"


def _type_of(tensor: Tensor) -> str:
    """Why a type is refused; nothing for int8."""
    return "" if tensor.dtype is DType.INT8 else f"{tensor.dtype.value}: kernels of this core take int8"


_OTHERS: dict[str, Callable[[Node], str]] = {
    "add": _sum,
    "mul": _product,
    "pool_2d": _pool,
    "batch_matmul": _matrices,
    "svdf": _recurrent,
    "unidirectional_sequence_lstm": _recurrent,
    "quantize": _quantization,
}


def reason(name: str, node: Node) -> str:
    """What the core's kernels ask of the layer and it has not; empty where that is not known."""
    other = _OTHERS.get(name)
    if other is not None:
        return other(node)
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
    return _large_factor(node) or _shape(name, node)


def _large_factor(node: Node) -> str:
    tensors = node.input("input"), node.input("weights"), node.output
    factors = convolution_requantization(node, *tensors)
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
