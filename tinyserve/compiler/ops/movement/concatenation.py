# SPDX-License-Identifier: Apache-2.0
"""CONCATENATION and PACK: each input is copied to its place in the output."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.rows import SAME_ROWS, RowRule, has_rows, row_axis
from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.quantize_params import Activation, check_activation
from tinyserve.compiler.ops.support.strided_copy import SUFFIX, Walk, add_copy, dense, dense_strides


@dataclass(frozen=True)
class ConcatenationAttributes:
    axis: int
    activation: Activation = Activation.NONE


class Concatenation(OpDef):
    """Quantized inputs must have the output's scale and zero point, since TFLM copies them as they are."""

    name = "CONCATENATION"
    inputs = ("first", "more*")
    types = SUFFIX
    limits = "no fused activation; quantized inputs have the scale of the output"

    def attributes(self, options: Options) -> ConcatenationAttributes:
        return ConcatenationAttributes(options.int32("axis"), Activation.read(options))

    def check(self, node: Node) -> None:
        inputs = _checked_inputs(node)
        output = node.output
        check_activation(node, node.attributes.activation)
        if node.attributes.activation is not Activation.NONE:
            raise unsupported(node, "a fused activation", "use a separate activation layer")
        axis = _axis(node, len(output.shape))
        for tensor in inputs:
            expected = (*output.shape[:axis], tensor.shape[axis] if axis < len(tensor.shape) else 0)
            checks.shape(node, tensor, (*expected, *output.shape[axis + 1 :]), "an input")
        if sum(tensor.shape[axis] for tensor in inputs) != output.shape[axis]:
            raise checks.invalid(node, f"inputs do not add up to {list(output.shape)} along axis {axis}")

    def rows(self, node: Node) -> RowRule | None:
        """Along what a row consists of."""
        inside = has_rows(node.output) and _axis(node, len(node.output.shape)) > row_axis(node.output)
        return SAME_ROWS if inside and not any(tensor.is_constant for tensor in node.operands()) else None

    def lower(self, node: Node, lowering: Lowering) -> None:
        output = node.output
        axis = _axis(node, len(output.shape))
        strides = dense_strides(output.shape)
        start = 0
        for tensor in node.operands():
            add_copy(
                node,
                lowering,
                tensor,
                output,
                shape=tensor.shape,
                source=dense(tensor.shape),
                target=Walk(start * strides[axis], strides),
            )
            start += tensor.shape[axis]


@dataclass(frozen=True)
class PackAttributes:
    count: int
    axis: int


class Pack(OpDef):
    """Inputs of one shape along a new axis."""

    name = "PACK"
    inputs = ("first", "more*")
    types = SUFFIX
    limits = "quantized inputs have the scale of the output"

    def attributes(self, options: Options) -> PackAttributes:
        return PackAttributes(options.int32("values_count"), options.int32("axis"))

    def check(self, node: Node) -> None:
        inputs = _checked_inputs(node)
        output = node.output
        axis = _axis(node, len(output.shape))
        shape = (*output.shape[:axis], *output.shape[axis + 1 :])
        if output.shape[axis] != len(inputs):
            raise checks.invalid(node, f"{len(inputs)} inputs for {output.shape[axis]} places")
        for tensor in inputs:
            checks.shape(node, tensor, shape, "an input")

    def lower(self, node: Node, lowering: Lowering) -> None:
        output = node.output
        axis = _axis(node, len(output.shape))
        strides = dense_strides(output.shape)
        for index, tensor in enumerate(node.operands()):
            target = Walk(index * strides[axis], strides[:axis] + strides[axis + 1 :])
            add_copy(
                node,
                lowering,
                tensor,
                output,
                shape=tensor.shape,
                source=dense(tensor.shape),
                target=target,
            )


def _checked_inputs(node: Node) -> list[Tensor]:
    inputs = node.operands()
    checks.dtype(node, inputs[0], SUFFIX, "input")
    checks.same_dtype(node, *inputs, node.output)
    if node.output.dtype in (DType.INT8, DType.UINT8, DType.INT16) and node.output.quantization:
        for tensor in inputs:
            if tensor.quantization:
                checks.same_quantization(node, tensor, node.output, tolerance=1e-6)
    return inputs


def _axis(node: Node, rank: int) -> int:
    axis: int = node.attributes.axis
    if not -rank <= axis < rank:
        raise checks.invalid(node, f"axis {axis} of an output with {rank} dimensions")
    return axis % rank


OPS = (Concatenation(), Pack())
