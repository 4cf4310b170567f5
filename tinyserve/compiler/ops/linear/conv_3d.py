# SPDX-License-Identifier: Apache-2.0
"""CONV_3D: three-dimensional convolution in float32. Kernel in ``kernels/conv_3d.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Operator, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import Activation, check_activation, float_range
from tinyserve.compiler.ops.support.window import read_padding
from tinyserve.compiler.program import ParamValue

_MOST = 1 << 16


@dataclass(frozen=True)
class Conv3DAttributes:
    """Strides and dilations along depth, height and width."""

    padding: str
    strides: tuple[int, int, int]
    dilations: tuple[int, int, int]
    activation: Activation


class Conv3D(Op):
    """Weights [depth][height][width][input channels][output channels]. TFLM lacks it: LiteRT, which has no
    integer form either, says what it gives."""

    name = "CONV_3D"
    roles = ("input", "weights", "bias")
    types = (DType.FLOAT32,)
    limits = "no groups"

    def attributes(self, options: Options) -> Conv3DAttributes:
        return Conv3DAttributes(
            read_padding(options, 0),
            (options.int32(1), options.int32(3), options.int32(2)),
            (options.int32(5, 1), options.int32(7, 1), options.int32(6, 1)),
            Activation.read(options, 4),
        )

    def check(self, op: Operator) -> None:
        checks.arity(op, 2, 3)
        input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        checks.dtype(op, input, self.types, "input")
        checks.same_dtype(op, input, weights, output)
        check_activation(op, op.attributes.activation)
        if not len(input.shape) == len(weights.shape) == len(output.shape) == 5:
            raise checks.invalid(op, f"shapes {list(input.shape)} and {list(weights.shape)}")
        attributes: Conv3DAttributes = op.attributes
        if attributes.padding not in ("SAME", "VALID"):
            raise checks.invalid(op, "unknown padding")
        if any(not 0 < extent < _MOST for extent in (*attributes.strides, *attributes.dilations)):
            raise checks.invalid(op, f"strides {attributes.strides}, dilations {attributes.dilations}")
        if weights.shape[3] != input.shape[4]:
            raise unsupported(op, "groups of channels", "split the layer into one per group")
        if not weights.elements or not input.elements:
            raise checks.invalid(op, "an empty input or filter")
        extents = tuple(_output(op, axis) for axis in range(3))
        checks.shape(op, output, (input.shape[0], *extents, weights.shape[4]), "output")
        if len(op.inputs) > 2 and op.inputs[2] is not None:
            checks.same_dtype(op, input, op.inputs[2])
            checks.elements(op, op.inputs[2], weights.shape[4], "bias")

    def macs(self, op: Operator) -> int:
        return op.outputs[0].elements * (checks.required(op, 1).elements // op.outputs[0].shape[4])

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        attributes: Conv3DAttributes = op.attributes
        low, high = float_range(attributes.activation)
        params: dict[str, ParamValue] = {
            "batches": input.shape[0],
            "input_shape": input.shape[1:4],
            "input_channels": input.shape[4],
            "filter_shape": weights.shape[:3],
            "output_shape": output.shape[1:4],
            "output_channels": output.shape[4],
            "strides": attributes.strides,
            "dilations": attributes.dilations,
            "pads": tuple(_pad(op, axis) for axis in range(3)),
            "activation_min": low,
            "activation_max": high,
        }
        bias = op.inputs[2] if len(op.inputs) > 2 else None
        given = [lowering.operand(input), lowering.operand(weights)]
        add_call(
            op,
            lowering,
            "ts_conv_3d_f32" if bias is not None else "ts_conv_3d_without_bias_f32",
            "conv_3d.h",
            params=params,
            inputs=[*given, *([lowering.operand(bias)] if bias is not None else [])],
            outputs=[lowering.buffer(output)],
            params_type="ts_conv_3d_params",
        )


def _reach(op: Operator, axis: int) -> int:
    """What a filter covers of an axis."""
    extent: int = checks.required(op, 1).shape[axis]
    dilation: int = op.attributes.dilations[axis]
    return (extent - 1) * dilation + 1


def _output(op: Operator, axis: int) -> int:
    extent, stride = checks.required(op, 0).shape[1 + axis], op.attributes.strides[axis]
    if op.attributes.padding == "SAME":
        return int(-(-extent // stride))
    return int(max(0, -(-(extent - _reach(op, axis) + 1) // stride)))


def _pad(op: Operator, axis: int) -> int:
    """Zeros before the first element."""
    extent, stride = checks.required(op, 0).shape[1 + axis], op.attributes.strides[axis]
    missing = (_output(op, axis) - 1) * stride + _reach(op, axis) - extent
    return int(max(0, missing)) // 2


OPS = (Conv3D(),)
