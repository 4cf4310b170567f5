# SPDX-License-Identifier: Apache-2.0
"""What operators with weights share: constant accumulators, and inputs that fold into the bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Quantization, Tensor
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.fixed_point import wrap
from tinyserve.compiler.passes.channels.state import Channels, Int64Array, Mask, take
from tinyserve.compiler.passes.channels.values import output_stage


def has_plain_weights(node: Node) -> bool:
    """Constant symmetric weights and a constant bias or none: what the rules can reason about."""
    source, weights = node.input("input"), node.input("weights")
    if not weights.is_constant or source.is_constant:
        return False
    if weights.quantization is not None and any(weights.quantization.zero_points):
        return False
    if weights.dtype is DType.FLOAT32 and not np.isfinite(weights.data).all():  # type: ignore[arg-type]
        return False
    bias = node.optional("bias")
    return bias is None or (bias.is_constant and bias.elements == node.output.shape[-1])


def shrink_bias(node: Node, keep: Mask) -> None:
    """The bias of the output channels that are kept."""
    bias = node.optional("bias")
    if bias is not None:
        node.set_input("bias", take(bias, len(bias.shape) - 1, keep))


def reads_padding(node: Node) -> bool:
    """Whether some tap of a convolution lies outside of its input."""
    view = conv_window(node)
    ends = (
        (view.pad_top, view.output_height, view.stride_height, view.filter_height, view.dilation_height,
         view.input_height),
        (view.pad_left, view.output_width, view.stride_width, view.filter_width, view.dilation_width,
         view.input_width),
    )  # fmt: skip
    return any(
        pad > 0 or (outputs - 1) * stride - pad + (taps - 1) * dilation >= extent
        for pad, outputs, stride, taps, dilation, extent in ends
    )


def foldable(node: Node, channels: Channels, padded: bool) -> Mask:
    """Input channels that add the same to every accumulator.

    Padding holds the zero point, so where there is padding only that value does.
    """
    source = node.input("input")
    if not padded:
        return channels.known
    return np.asarray(channels.known & (channels.value == source.zero_point))


def known_outputs(node: Node, constant: Mask, sums: Int64Array) -> Int64Array:
    """Output values of the channels in ``constant``, whose accumulators are ``sums`` + bias.

    Only int8 has values other than zero: float sums would be rounded in another order. ``constant`` is
    narrowed in place to what is really known.
    """
    bias = node.optional("bias")
    accumulators = sums + (0 if bias is None or bias.data is None else bias.data.reshape(-1))
    output = node.output
    values = np.full(constant.shape, output.zero_point, dtype=np.int64)
    if output.dtype is not DType.INT8:
        constant &= accumulators == 0
        return values
    stage = output_stage(node)
    for channel in np.flatnonzero(constant).tolist():
        values[channel] = stage(int(accumulators[channel]), channel)
    return values


def add_to_bias(node: Node, sums: Int64Array) -> None:
    """Adds to the (already shrunk) bias, or makes one. The accumulators are int32 and wrap."""
    if not sums.any():
        return
    source, weights, bias = node.input("input"), node.input("weights"), node.optional("bias")
    if bias is None or bias.data is None:
        assert weights.quantization is not None
        scales = tuple(source.scale * scale for scale in weights.quantization.scales)
        bias = Tensor(
            -1, f"{weights.name}_bias", sums.shape, DType.INT32, Quantization(scales, (0,) * len(scales)),
            np.zeros(sums.shape, np.int32),
        )  # fmt: skip
    assert bias.data is not None
    total = bias.data.astype(np.int64).reshape(-1) + sums
    data = np.array([wrap(int(value)) for value in total], dtype=bias.data.dtype)
    node.set_input("bias", replace(bias, index=-1, data=data.reshape(bias.shape)))
