# SPDX-License-Identifier: Apache-2.0
"""CONV_2D: two-dimensional convolution, grouped too. Kernels in ``kernels/conv_2d.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.rows import RowRule, Slab, is_line
from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.linear import conv_2d_s4
from tinyserve.compiler.ops.linear.conv_2d_s4 import ConvShape
from tinyserve.compiler.ops.support import checks, four_bits
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.biases import largest_s16_sums
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    Requantization,
    activation_range,
    check_activation,
    convolution_requantization,
)
from tinyserve.compiler.ops.support.records import (
    Clamp,
    Factors,
    FloatClamp,
    float_clamp,
    quantized_clamp,
    stored_factors,
)
from tinyserve.compiler.ops.support.window import ExplicitPads, Window, read_padding, window
from tinyserve.compiler.program import Constant, Operand, Params

S16_BIAS = (DType.INT64, DType.INT32)
"""The bias of int16 activations, where TFLM takes both types."""

MAX_TAPS = 1 << 16
"""Products of int8 and 9-bit values that a 32-bit accumulator surely holds."""


@dataclass(frozen=True)
class Conv2DAttributes:
    """``pad_*`` override ``padding`` where a pass has set all four."""

    padding: str = "VALID"
    stride_height: int = 1
    stride_width: int = 1
    dilation_height: int = 1
    dilation_width: int = 1
    activation: Activation = Activation.NONE
    pad_top: int | None = None
    pad_bottom: int | None = None
    pad_left: int | None = None
    pad_right: int | None = None

    @property
    def pads(self) -> ExplicitPads | None:
        """The explicit padding, where there is one."""
        if None in (self.pad_top, self.pad_bottom, self.pad_left, self.pad_right):
            return None
        return ExplicitPads(self.pad_top or 0, self.pad_bottom or 0, self.pad_left or 0, self.pad_right or 0)


@dataclass(frozen=True)
class LayerF32(Params, c_type="ts_layer_f32"):
    """What all float32 kernels with weights have. Weights and bias are NULL where they are arguments of the
    call, see ``add_convolution``."""

    activation: FloatClamp
    weights: Constant | None
    bias: Constant | None


@dataclass(frozen=True)
class LayerS16(Params, c_type="ts_layer_s16"):
    """As ``LayerF32``, of int16 activations."""

    activation: Clamp
    weights: Constant | None
    bias: Constant | None
    requantization: Factors


@dataclass(frozen=True)
class LayerS8(Params, c_type="ts_layer_s8"):
    """As ``LayerF32``, of int8 activations."""

    input_offset: int
    output_offset: int
    activation: Clamp
    weights: Constant | None
    bias: Constant | None
    requantization: Factors


@dataclass(frozen=True)
class Conv2DS8Params(Params, c_type="ts_conv_2d_s8_params"):
    shape: ConvShape
    layer: LayerS8


@dataclass(frozen=True)
class Conv2DS16Params(Params, c_type="ts_conv_2d_s16_params"):
    """``narrow_sums``: as TFLM does for an int32 bias, see ``kernels/common/sum_s16.h``. ``short_sums``: no
    sum exceeds 32 bits."""

    shape: ConvShape
    layer: LayerS16
    narrow_sums: bool
    short_sums: bool


@dataclass(frozen=True)
class Conv2DF32Params(Params, c_type="ts_conv_2d_f32_params"):
    shape: ConvShape
    layer: LayerF32


class Convolution(OpDef):
    """What CONV_2D and DEPTHWISE_CONV_2D have in common."""

    inputs = ("input", "weights", "bias?")
    names_constants = True
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    limits = "int8 weights (constant int4 with int8 activations), symmetric"

    def attributes(self, options: Options) -> Conv2DAttributes:
        return Conv2DAttributes(
            padding=read_padding(options),
            stride_width=options.int32("stride_w"),
            stride_height=options.int32("stride_h"),
            activation=Activation.read(options),
            dilation_width=options.int32("dilation_w_factor", 1),
            dilation_height=options.int32("dilation_h_factor", 1),
        )

    def rows(self, node: Node) -> RowRule | None:
        return None if computed_operands(node) else window_rows(node, conv_window(node))

    def slab_attributes(self, node: Node, slab: Slab) -> Conv2DAttributes:
        attributes = node.attributes
        assert isinstance(attributes, Conv2DAttributes)
        pads = slab_pads(node, conv_window(node), slab)
        return replace(
            attributes, pad_top=pads.top, pad_bottom=pads.bottom, pad_left=pads.left, pad_right=pads.right
        )


class Conv2D(Convolution):
    """Weights [output channels][height][width][input channels / groups], bias int32 (or int64 for int16), or
    none.
    """

    name = "CONV_2D"
    reads_four_bits = True

    def check(self, node: Node) -> None:
        input, weights, output = node.input("input"), node.input("weights"), node.output
        for tensor, role in ((input, "input"), (weights, "weights"), (output, "output")):
            checks.rank(node, tensor, 4, role)
        channels, per_group = weights.shape[0], weights.shape[3]
        groups = input.shape[3] // per_group
        if groups * per_group != input.shape[3] or channels % groups:
            raise checks.invalid(
                node, f"weights {list(weights.shape)} do not divide the input's {input.shape[3]} channels"
            )
        checks.shape(node, output, (*output.shape[:3], channels), "output")
        check_convolution(node, axis=0, channels=channels, s16_bias=S16_BIAS)
        conv_window(node)

    def macs(self, node: Node) -> int:
        weights = node.input("weights")
        return node.output.elements * weights.elements // weights.shape[0]

    def lower(self, node: Node, lowering: Lowering) -> None:
        if computed_operands(node) or not lowering.lower_variant("conv_2d", node):
            self.lower_portable(node, lowering)

    def lower_portable(self, node: Node, lowering: Lowering) -> None:
        """With the portable kernel, whatever the target."""
        input, weights, output = node.input("input"), node.input("weights"), node.output
        view, shape = conv_window(node), conv_shape(node)
        if takes_four_bits(node, lowering):
            factors = convolution_requantization(node, input, weights, output)
            conv_2d_s4.add(node, lowering, shape, factors, macs=self.macs(node))
            return
        params: Params
        if input.dtype is DType.FLOAT32:
            params = Conv2DF32Params(shape, float_weights(node, lowering))
        elif input.dtype is DType.INT16:
            layer = int16_weights(node, lowering)
            params = Conv2DS16Params(shape, layer, narrow_sums(node), fits_32_bits(node))
        else:
            params = Conv2DS8Params(shape, int8_weights(node, lowering))
        lead = conv_lead(view, input, output)
        add_convolution(
            node, lowering, f"ts_conv_2d_{suffix(input)}", params, lead=lead, macs=self.macs(node)
        )


def conv_window(node: Node) -> Window:
    """The sliding window of a CONV_2D. Raises ModelError where the shapes contradict it."""
    attributes, weights = node.attributes, node.input("weights")
    return window(
        node,
        (weights.shape[1], weights.shape[2]),
        (attributes.stride_height, attributes.stride_width),
        attributes.padding,
        dilation=(attributes.dilation_height, attributes.dilation_width),
        pads=attributes.pads,
    )


def conv_shape(node: Node) -> ConvShape:
    """What all kernels are given of a CONV_2D."""
    depth, per_group, channels = (
        node.input("input").shape[3],
        node.input("weights").shape[3],
        node.output.shape[3],
    )
    return ConvShape(conv_window(node), per_group, channels * per_group // depth, channels)


def takes_four_bits(node: Node, lowering: Lowering) -> bool:
    """Whether weights are constants of four bits, which are to stay so."""
    weights = node.input("weights")
    return (
        lowering.packs
        and not computed_operands(node)
        and weights.data is not None
        and weights.dtype is node.input("input").dtype is DType.INT8
        and four_bits.fits(weights.data)
    )


def window_rows(node: Node, view: Window) -> RowRule:
    """The rows that the window of an operator reads."""
    if is_line(node):
        return RowRule((view.filter_width - 1) * view.dilation_width + 1, view.stride_width, view.pad_left)
    return RowRule((view.filter_height - 1) * view.dilation_height + 1, view.stride_height, view.pad_top)


def slab_pads(node: Node, view: Window, slab: Slab) -> ExplicitPads:
    """The padding of an operator on some rows, whose whole window is ``view``."""
    if is_line(node):
        reach = (view.filter_height - 1) * view.dilation_height + 1
        below = (view.output_height - 1) * view.stride_height - view.pad_top + reach - view.input_height
        return ExplicitPads(view.pad_top, max(0, below), slab.above, slab.below)
    return ExplicitPads(slab.above, slab.below, view.pad_left, right_pad(view))


def right_pad(view: Window) -> int:
    """Columns of padding behind the input that the last output column reads."""
    reach = (view.filter_width - 1) * view.dilation_width + 1
    return max(0, (view.output_width - 1) * view.stride_width - view.pad_left + reach - view.input_width)


def conv_lead(view: Window, input: Tensor, output: Tensor) -> int:
    """Lead of kernels that compute all channels of a pixel, each from the whole window, pixel after pixel."""
    reads = view.first_reads() * (input.shape[3] * input.dtype.itemsize)
    channels, size = output.shape[3], output.dtype.itemsize
    pixels = np.arange(view.pixels, dtype=np.int64)
    # Two steps per pixel: before the last channel the window is read once more, after it never again.
    ends = np.stack([pixels * channels + channels - 1, (pixels + 1) * channels], axis=1).reshape(-1)
    return lead_bytes(np.repeat(reads, 2), ends * size)


def suffix(tensor: Tensor) -> str:
    """What kernels of this element type end in."""
    return {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}[tensor.dtype]


def check_convolution(
    node: Node,
    axis: int,
    channels: int,
    asymmetric: bool = False,
    s16_bias: Sequence[DType] = (DType.INT64,),
) -> None:
    """Types, quantization, bias and activation of an operator with weights, which have ``channels`` along
    ``axis``, and a zero point of 0 unless ``asymmetric``. ``s16_bias``: the types that the bias of int16
    activations may have.
    """
    input, weights, output = node.input("input"), node.input("weights"), node.output
    bias = node.optional("bias")
    checks.dtype(node, input, (DType.INT8, DType.INT16, DType.FLOAT32), "input")
    checks.same_dtype(node, input, output)
    check_activation(node, node.attributes.activation)
    if bias is not None:
        checks.elements(node, bias, channels, "bias")
    if input.dtype is DType.FLOAT32:
        checks.dtype(node, weights, (DType.FLOAT32,), "weights")
        if bias is not None:
            checks.dtype(node, bias, (DType.FLOAT32,), "bias")
        return
    weight_types = (DType.INT8, DType.INT4) if input.dtype is DType.INT8 else (DType.INT8,)
    checks.dtype(node, weights, weight_types, "weights")
    checks.per_tensor(node, input, output)
    checks.channel_quantized(node, weights, axis, channels)
    if not asymmetric:
        checks.symmetric(node, weights)
    if bias is not None:
        checks.dtype(node, bias, (DType.INT32,) if input.dtype is DType.INT8 else s16_bias, "bias")
    if input.dtype is DType.INT16:
        checks.symmetric(node, input, output)
    most = MAX_TAPS // 2 if asymmetric else MAX_TAPS
    if weights.elements // channels > most:
        raise unsupported(
            node, f"more than {most} products per output could overflow", "split the layer in two"
        )
    convolution_requantization(node, input, weights, output)
    activation_range(node, node.attributes.activation, output)


def _stored_operands(node: Node, lowering: Lowering) -> tuple[Constant | None, Constant | None]:
    """Weights and bias, where neither is computed."""
    weights, bias = node.input("weights"), node.optional("bias")
    if computed_operands(node):
        return None, None
    return stored(lowering, weights), None if bias is None else stored(lowering, bias)


def float_weights(node: Node, lowering: Lowering) -> LayerF32:
    """Bounds, weights and bias of a float32 layer."""
    return LayerF32(float_clamp(node.attributes.activation), *_stored_operands(node, lowering))


def int16_weights(node: Node, lowering: Lowering, requantization: Requantization | None = None) -> LayerS16:
    """Bounds, weights, bias and factors of a layer of integers, by default those of a convolution."""
    weights = node.input("weights")
    bounds = quantized_clamp(node)
    operands = _stored_operands(node, lowering)
    found = requantization or convolution_requantization(node, node.input("input"), weights, node.output)
    return LayerS16(bounds, *operands, stored_factors(lowering, weights.name, found))


def int8_weights(node: Node, lowering: Lowering, requantization: Requantization | None = None) -> LayerS8:
    """As ``int16_weights``, and the zero points."""
    layer = int16_weights(node, lowering, requantization)
    offsets = -node.input("input").zero_point, node.output.zero_point
    return LayerS8(*offsets, layer.activation, layer.weights, layer.bias, layer.requantization)


def narrow_sums(node: Node) -> bool:
    """Whether an int16 layer's bias is of int32, with which TFLM sums in 32 bits."""
    bias = node.optional("bias")
    return bias is not None and bias.dtype is DType.INT32


def fits_32_bits(node: Node) -> bool:
    """Whether constant weights and bias keep every sum over int16 activations within 32 bits."""
    weights, bias = node.input("weights"), node.optional("bias")
    if weights.data is None or (bias is not None and bias.data is None):
        return False
    return bool(np.all(largest_s16_sums(node, weights.data) < float(1 << 31)))


def computed_operands(node: Node) -> bool:
    """Whether weights or bias are computed at run time. Portable kernels alone take those."""
    operands = node.input("weights"), node.optional("bias")
    return any(not tensor.is_constant for tensor in operands if tensor is not None)


def add_convolution(
    node: Node,
    lowering: Lowering,
    function: str,
    params: Params,
    *,
    lead: int,
    macs: int,
) -> None:
    """Appends the call of a portable kernel of ``node``, whose inputs are input, weights and perhaps bias.

    Weights and bias that are computed go as arguments to the kernel's form of the same name with _computed.
    """
    source, target = lowering.operand(node.input("input")), lowering.buffer(node.output)
    inputs: list[Operand | None] = [source]
    computed = computed_operands(node)
    if computed:
        bias = node.optional("bias")
        inputs += [
            lowering.operand(node.input("weights")),
            None if bias is None else lowering.operand(bias),
        ]
    add_call(
        node,
        lowering,
        f"{function}_computed" if computed else function,
        f"{node.name.lower()}.h",
        params=params,
        inputs=inputs,
        outputs=[target],
        overlaps=[] if source in inputs[1:] else overlaps(source, target, lead),
        macs=macs,
    )


def stored(lowering: Lowering, tensor: Tensor) -> Constant:
    """The constant of a tensor that was checked to be one."""
    operand = lowering.operand(tensor)
    assert isinstance(operand, Constant)
    return operand


OPS = (Conv2D(),)
