# SPDX-License-Identifier: Apache-2.0
"""CONV_3D: three-dimensional convolution in float32. Kernel in ``kernels/conv_3d.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import Activation, check_activation
from tinyserve.compiler.ops.support.records import FloatClamp, float_clamp
from tinyserve.compiler.ops.support.window import read_padding
from tinyserve.compiler.program import Params

_MOST = 1 << 16


@dataclass(frozen=True)
class Conv3DAttributes:
    """Strides and dilations along depth, height and width."""

    padding: str
    strides: tuple[int, int, int]
    dilations: tuple[int, int, int]
    activation: Activation


@dataclass(frozen=True)
class Conv3DParams(Params, c_type="ts_conv_3d_params"):
    """Shapes, strides, dilations and pads along depth, height and width."""

    batches: int
    input_shape: tuple[int, ...]
    input_channels: int
    filter_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    output_channels: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    activation: FloatClamp


class Conv3D(OpDef):
    """Weights [depth][height][width][input channels][output channels]. TFLM lacks it: LiteRT, which has no
    integer form either, says what it gives."""

    name = "CONV_3D"
    inputs = ("input", "weights", "bias?")
    names_constants = True
    types = (DType.FLOAT32,)
    limits = "no groups"

    def attributes(self, options: Options) -> Conv3DAttributes:
        return Conv3DAttributes(
            read_padding(options),
            (options.int32("stride_d"), options.int32("stride_h"), options.int32("stride_w")),
            (
                options.int32("dilation_d_factor", 1),
                options.int32("dilation_h_factor", 1),
                options.int32("dilation_w_factor", 1),
            ),
            Activation.read(options),
        )

    def check(self, node: Node) -> None:
        input, weights, output = node.input("input"), node.input("weights"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, weights, output)
        check_activation(node, node.attributes.activation)
        if not len(input.shape) == len(weights.shape) == len(output.shape) == 5:
            raise checks.invalid(node, f"shapes {list(input.shape)} and {list(weights.shape)}")
        attributes: Conv3DAttributes = node.attributes
        if attributes.padding not in ("SAME", "VALID"):
            raise checks.invalid(node, "unknown padding")
        if any(not 0 < extent < _MOST for extent in (*attributes.strides, *attributes.dilations)):
            raise checks.invalid(node, f"strides {attributes.strides}, dilations {attributes.dilations}")
        if weights.shape[3] != input.shape[4]:
            raise unsupported(node, "groups of channels", "split the layer into one per group")
        if not weights.elements or not input.elements:
            raise checks.invalid(node, "an empty input or filter")
        extents = tuple(_output(node, axis) for axis in range(3))
        checks.shape(node, output, (input.shape[0], *extents, weights.shape[4]), "output")
        bias = node.optional("bias")
        if bias is not None:
            checks.same_dtype(node, input, bias)
            checks.elements(node, bias, weights.shape[4], "bias")

    def macs(self, node: Node) -> int:
        return node.output.elements * (node.input("weights").elements // node.output.shape[4])

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, weights, output = node.input("input"), node.input("weights"), node.output
        attributes: Conv3DAttributes = node.attributes
        params = Conv3DParams(
            batches=input.shape[0],
            input_shape=input.shape[1:4],
            input_channels=input.shape[4],
            filter_shape=weights.shape[:3],
            output_shape=output.shape[1:4],
            output_channels=output.shape[4],
            strides=attributes.strides,
            dilations=attributes.dilations,
            pads=tuple(_pad(node, axis) for axis in range(3)),
            activation=float_clamp(attributes.activation),
        )
        bias = node.optional("bias")
        given = [lowering.operand(input), lowering.operand(weights)]
        add_call(
            node,
            lowering,
            "ts_conv_3d_f32" if bias is not None else "ts_conv_3d_without_bias_f32",
            "conv_3d.h",
            params=params,
            inputs=[*given, *([lowering.operand(bias)] if bias is not None else [])],
            outputs=[lowering.buffer(output)],
        )


def _reach(node: Node, axis: int) -> int:
    """What a filter covers of an axis."""
    extent: int = node.input("weights").shape[axis]
    dilation: int = node.attributes.dilations[axis]
    return (extent - 1) * dilation + 1


def _output(node: Node, axis: int) -> int:
    extent, stride = node.input("input").shape[1 + axis], node.attributes.strides[axis]
    if node.attributes.padding == "SAME":
        return int(-(-extent // stride))
    return int(max(0, -(-(extent - _reach(node, axis) + 1) // stride)))


def _pad(node: Node, axis: int) -> int:
    """Zeros before the first element."""
    extent, stride = node.input("input").shape[1 + axis], node.attributes.strides[axis]
    missing = (_output(node, axis) - 1) * stride + _reach(node, axis) - extent
    return int(max(0, missing)) // 2


OPS = (Conv3D(),)
