# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED: a matrix times each row of the input. Kernels in ``kernels/fully_connected.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.linear import conv_2d_s4
from tinyserve.compiler.ops.linear.conv_2d import (
    S16_BIAS,
    LayerF32,
    LayerS8,
    LayerS16,
    add_convolution,
    check_convolution,
    computed_operands,
    float_weights,
    int8_weights,
    int16_weights,
    narrow_sums,
    suffix,
    takes_four_bits,
)
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.overlap import lead_bytes
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    channel_scales,
    convolution_requantization,
)
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class FullyConnectedAttributes:
    """``keep_num_dims`` only says which shape the output has; the output tensor has it already."""

    activation: Activation = Activation.NONE
    keep_num_dims: bool = False
    weights_format: int = 0


@dataclass(frozen=True)
class Matrix(Params):
    """``batches`` rows of ``depth`` values, each to ``channels`` outputs."""

    batches: int
    depth: int
    channels: int


@dataclass(frozen=True)
class FullyConnectedS8Params(Params, c_type="ts_fully_connected_s8_params"):
    matrix: Matrix
    layer: LayerS8
    weights_offset: int


@dataclass(frozen=True)
class FullyConnectedS16Params(Params, c_type="ts_fully_connected_s16_params"):
    """``narrow_sums`` as in CONV_2D."""

    matrix: Matrix
    layer: LayerS16
    narrow_sums: bool
    weights_offset: int


@dataclass(frozen=True)
class FullyConnectedF32Params(Params, c_type="ts_fully_connected_f32_params"):
    matrix: Matrix
    layer: LayerF32


class FullyConnected(OpDef):
    """Weights [channels][depth]; the input is taken as rows of depth values whatever its shape."""

    name = "FULLY_CONNECTED"
    inputs = ("input", "weights", "bias?")
    names_constants = True
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    limits = "int8 weights (constant int4 with int8 activations), symmetric per channel; none shuffled"

    def attributes(self, options: Options) -> FullyConnectedAttributes:
        return FullyConnectedAttributes(
            Activation.read(options),
            keep_num_dims=options.boolean("keep_num_dims"),
            weights_format=options.int8("weights_format"),
        )

    def check(self, node: Node) -> None:
        input, weights, output = node.input("input"), node.input("weights"), node.output
        checks.rank(node, weights, 2, "weights")
        if node.attributes.weights_format:
            raise unsupported(node, "shuffled weights", "convert the model without weight shuffling")
        channels, depth = weights.shape
        if input.elements % depth:
            raise checks.invalid(node, f"input {list(input.shape)} is not made of rows of {depth} values")
        checks.elements(node, output, input.elements // depth * channels, "output")
        check_convolution(node, axis=0, channels=channels, asymmetric=_offset(node) != 0, s16_bias=S16_BIAS)
        if input.dtype is not DType.FLOAT32:
            convolution_requantization(node, input, weights, output)

    def macs(self, node: Node) -> int:
        return node.output.elements * node.input("weights").shape[1]

    def lower(self, node: Node, lowering: Lowering) -> None:
        plain = not computed_operands(node) and not _offset(node)
        if plain and lowering.lower_variant("fully_connected", node):
            return
        input, weights, output = node.input("input"), node.input("weights"), node.output
        channels, depth = weights.shape
        if plain and takes_four_bits(node, lowering):
            factors = convolution_requantization(node, input, weights, output)
            shape = conv_2d_s4.rows_of_pixels(input.elements // depth, depth, channels)
            conv_2d_s4.add(node, lowering, shape, factors, macs=self.macs(node))
            return
        params: Params
        if input.dtype is DType.FLOAT32:
            params = FullyConnectedF32Params(matrix_of(node), float_weights(node, lowering))
        else:
            params = integer_params(node, lowering, _offset(node))
        function = f"ts_fully_connected_{'offset_' if _offset(node) else ''}{suffix(input)}"
        lead = row_lead(depth, channels, input, output)
        add_convolution(node, lowering, function, params, lead=lead, macs=self.macs(node))


def matrix_of(node: Node) -> Matrix:
    """What is multiplied."""
    channels, depth = node.input("weights").shape
    return Matrix(node.input("input").elements // depth, depth, channels)


def integer_params(
    node: Node, lowering: Lowering, weights_offset: int = 0
) -> FullyConnectedS8Params | FullyConnectedS16Params:
    """The parameters of the portable kernels of integers."""
    input, weights = node.input("input"), node.input("weights")
    factors = convolution_requantization(node, input, weights, node.output)
    if input.dtype is DType.INT8:
        layer = int8_weights(node, lowering, factors)
        return FullyConnectedS8Params(matrix_of(node), layer, weights_offset)
    wide = int16_weights(node, lowering, factors)
    return FullyConnectedS16Params(matrix_of(node), wide, narrow_sums(node), weights_offset)


def _offset(node: Node) -> int:
    """What is added to each weight: TFLM takes the zero point of weights with a single scale."""
    weights = node.input("weights")
    quantized = weights.dtype is not DType.FLOAT32 and weights.quantization is not None
    return -weights.zero_point if quantized and len(channel_scales(weights)) == 1 else 0


def row_lead(depth: int, channels: int, input: Tensor, output: Tensor) -> int:
    """Lead of kernels that compute each output from the whole row, one after the other."""
    rows = np.repeat(np.arange(input.elements // depth, dtype=np.int64), channels)
    ends = np.arange(1, output.elements + 1, dtype=np.int64)
    return lead_bytes(rows * (depth * input.dtype.itemsize), ends * output.dtype.itemsize)


OPS = (FullyConnected(),)
