# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV. Kernels in ``kernels/transpose_conv.h``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.rows import RowRule, Slab, has_rows, is_line
from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.linear.conv_2d import (
    Conv2D,
    LayerF32,
    LayerS8,
    LayerS16,
    add_convolution,
    check_convolution,
    computed_operands,
    float_weights,
    int8_weights,
    int16_weights,
    suffix,
)
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.overlap import NOTHING_READ, IntArray, lead_bytes
from tinyserve.compiler.ops.support.quantize_params import Activation
from tinyserve.compiler.ops.support.window import Window, read_padding
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class TransposeConvAttributes:
    """``top``: rows that the first output row lies behind the first that the first input row reaches, where
    the operator makes some rows of an image."""

    padding: str = "VALID"
    stride_height: int = 1
    stride_width: int = 1
    activation: Activation = Activation.NONE
    top: int | None = None


@dataclass(frozen=True)
class _Shape(Params):
    window: Window
    output_channels: int


@dataclass(frozen=True)
class TransposeConvS8Params(Params, c_type="ts_transpose_conv_s8_params"):
    shape: _Shape
    layer: LayerS8


@dataclass(frozen=True)
class TransposeConvS16Params(Params, c_type="ts_transpose_conv_s16_params"):
    """``short_bias`` is set by the kernel, where it is computed."""

    shape: _Shape
    layer: LayerS16
    short_bias: None = None


@dataclass(frozen=True)
class TransposeConvF32Params(Params, c_type="ts_transpose_conv_f32_params"):
    shape: _Shape
    layer: LayerF32


class TransposeConv(OpDef):
    """Inputs: output shape (not read: the output tensor has it), weights, input, bias or none."""

    name = "TRANSPOSE_CONV"
    inputs = ("output_shape", "weights", "input", "bias?")
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    limits = "int8 weights (constant int4 with int8 activations), symmetric"

    def attributes(self, options: Options) -> TransposeConvAttributes:
        return TransposeConvAttributes(
            padding=read_padding(options),
            stride_width=options.int32("stride_w"),
            stride_height=options.int32("stride_h"),
            activation=Activation.read(options),
        )

    def check(self, node: Node) -> None:
        weights, input, output = node.input("weights"), node.input("input"), node.output
        for tensor, role in ((input, "input"), (weights, "weights"), (output, "output")):
            checks.rank(node, tensor, 4, role)
        attributes: TransposeConvAttributes = node.attributes
        if min(attributes.stride_height, attributes.stride_width) < 1 or attributes.padding == "?":
            raise checks.invalid(node, "stride or padding is not valid")
        channels = weights.shape[0]
        if weights.shape[3] != input.shape[3]:
            raise checks.invalid(node, f"weights {list(weights.shape)}, input {list(input.shape)}")
        checks.shape(node, output, (input.shape[0], *output.shape[1:3], channels), "output")
        check_convolution(
            as_convolution(node), axis=0, channels=channels, s16_bias=(DType.INT64, DType.INT16)
        )

    def rows(self, node: Node) -> RowRule | None:
        """Steps make as many rows as the stride, or a multiple of it."""
        if not has_rows(node.input("input")) or computed_operands(as_convolution(node)) or is_line(node):
            return None
        stride, top = node.attributes.stride_height, transposed_padding(node, 1)
        before = _rows_before(node)
        return RowRule(reach=before + (stride - 1 + top) // stride + 1, pad=before, up=stride)

    def slab_attributes(self, node: Node, slab: Slab) -> TransposeConvAttributes:
        attributes: TransposeConvAttributes = node.attributes
        skipped = attributes.stride_height * (_rows_before(node) - slab.above)
        return replace(attributes, top=transposed_padding(node, 1) + skipped)

    def macs(self, node: Node) -> int:
        weights, input = node.input("weights"), node.input("input")
        return input.elements * weights.elements // weights.shape[3]

    def lower(self, node: Node, lowering: Lowering) -> None:
        view = as_convolution(node)
        if not computed_operands(view) and lowering.lower_variant("transpose_conv", node):
            return
        input, shape = node.input("input"), _shape(node)
        params: Params
        if input.dtype is DType.FLOAT32:
            params = TransposeConvF32Params(shape, float_weights(view, lowering))
        elif input.dtype is DType.INT16:
            params = TransposeConvS16Params(shape, int16_weights(view, lowering))
        else:
            params = TransposeConvS8Params(shape, int8_weights(view, lowering))
        bias = view.optional("bias")
        short = bias is not None and bias.dtype is DType.INT16
        function = f"ts_transpose_conv_{suffix(input)}{'_short' if short else ''}"
        add_convolution(view, lowering, function, params, lead=_lead(node), macs=self.macs(node))


def _shape(node: Node) -> _Shape:
    weights, input, output = node.input("weights"), node.input("input"), node.output
    view = Window(
        batches=input.shape[0],
        input_height=input.shape[1],
        input_width=input.shape[2],
        input_channels=input.shape[3],
        filter_height=weights.shape[1],
        filter_width=weights.shape[2],
        output_height=output.shape[1],
        output_width=output.shape[2],
        stride_height=node.attributes.stride_height,
        stride_width=node.attributes.stride_width,
        dilation_height=1,
        dilation_width=1,
        pad_top=transposed_padding(node, 1),
        pad_left=transposed_padding(node, 2),
    )
    return _Shape(view, output.shape[3])


def as_convolution(node: Node) -> Node:
    """The same operator with input, weights and bias where a convolution has them.

    A bias of 16 bits, which old converters give int16 activations, is widened as TFLM does: here
    where it is a constant, else by the kernel.
    """
    input, weights, bias = node.input("input"), node.input("weights"), node.optional("bias")
    if (
        input.dtype is DType.INT16
        and bias is not None
        and bias.dtype is DType.INT16
        and bias.data is not None
    ):
        bias = replace(bias, dtype=DType.INT64, data=bias.data.astype(np.int64))
    return replace(node, inputs=[input, weights, bias], signature=Conv2D().signature)


def transposed_padding(node: Node, axis: int) -> int:
    """Padding of the convolution that this one transposes, whose input is this one's output."""
    attributes: TransposeConvAttributes = node.attributes
    if axis == 1 and attributes.top is not None:
        return attributes.top
    if attributes.padding == "VALID":
        return 0
    extent, taps = node.output.shape[axis], node.input("weights").shape[axis]
    stride = attributes.stride_height if axis == 1 else attributes.stride_width
    return max((-(-extent // stride) - 1) * stride + taps - extent, 0) // 2


def _rows_before(node: Node) -> int:
    """Input rows before row n that still reach output row n times the stride."""
    taps = node.input("weights").shape[1]
    return (taps - 1 - transposed_padding(node, 1)) // int(node.attributes.stride_height)


def _first_sources(node: Node, axis: int) -> IntArray:
    """Per output position, the first input position that contributes."""
    attributes: TransposeConvAttributes = node.attributes
    stride = attributes.stride_height if axis == 1 else attributes.stride_width
    taps, extent = node.input("weights").shape[axis], node.input("input").shape[axis]
    reach = np.arange(node.output.shape[axis], dtype=np.int64) + transposed_padding(node, axis)
    source = np.maximum(0, -((taps - 1 - reach) // stride))  # the first whose last tap gets here
    inside = (source * stride <= reach) & (source < extent)
    first: IntArray = np.where(inside, source, NOTHING_READ)
    return first


def _lead(node: Node) -> int:
    input, output = node.input("input"), node.output
    rows, columns = _first_sources(node, 1)[:, None], _first_sources(node, 2)
    images = np.arange(input.shape[0], dtype=np.int64)[:, None, None] * input.shape[1]
    pixels = (images + rows) * input.shape[2] + columns
    nothing = (rows >= NOTHING_READ) | (columns >= NOTHING_READ)
    reads = np.where(nothing, NOTHING_READ, pixels * (input.shape[3] * input.dtype.itemsize)).reshape(-1)
    channels, count = output.shape[3], len(reads)
    order = np.arange(count, dtype=np.int64)
    # Two steps per pixel: before the last channel the pixel's window is read once more, after it never again.
    ends = np.stack([order * channels + channels - 1, (order + 1) * channels], axis=1).reshape(-1)
    return lead_bytes(np.repeat(reads, 2), ends * output.dtype.itemsize)


OPS = (TransposeConv(),)
