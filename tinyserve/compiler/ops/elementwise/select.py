# SPDX-License-Identifier: Apache-2.0
"""SELECT and SELECT_V2: elements of one or the other input. Kernels in ``kernels/select.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.broadcast import (
    MAX_RANK,
    broadcast_overlaps,
    check_broadcast,
    element_strides,
)
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import SUFFIX
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class SelectParams(Params, c_type="ts_select_params"):
    shape: tuple[int, ...]
    condition_strides: tuple[int, ...]
    strides1: tuple[int, ...]
    strides2: tuple[int, ...]


class SelectV2(OpDef):
    """All three inputs broadcast. Quantized values are copied as they are."""

    name = "SELECT_V2"
    inputs = ("condition", "input1", "input2")
    types = SUFFIX
    limits = "up to 6 dimensions"

    def check(self, node: Node) -> None:
        condition, input1, input2 = node.operands()
        checks.dtype(node, condition, (DType.BOOL,), "condition")
        checks.dtype(node, input1, SUFFIX, "input")
        checks.same_dtype(node, input1, input2, node.output)
        check_broadcast(node, condition, input1, input2)

    def condition_shape(self, node: Node) -> tuple[int, ...]:
        """The condition's shape as it broadcasts."""
        return node.input("condition").shape

    def lower(self, node: Node, lowering: Lowering) -> None:
        inputs = node.operands()
        output = node.output
        shape = (1,) * (MAX_RANK - len(output.shape)) + output.shape
        params = SelectParams(
            shape=shape,
            condition_strides=tuple(element_strides(self.condition_shape(node), shape)),
            strides1=_strides(inputs[1], shape),
            strides2=_strides(inputs[2], shape),
        )
        broadcasts = self.condition_shape(node) == inputs[0].shape
        sources = [lowering.operand(tensor) for tensor in inputs]
        target = lowering.buffer(output)
        add_call(
            node,
            lowering,
            f"ts_select_{SUFFIX[output.dtype]}",
            "select.h",
            params=params,
            inputs=sources,
            outputs=[target],
            overlaps=broadcast_overlaps(node, inputs, sources, target) if broadcasts else [],
        )


def _strides(tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(element_strides(tensor.shape, shape))


class Select(SelectV2):
    """The older one, which TFLM lacks: the condition has the inputs' shape, or one value per row."""

    name = "SELECT"

    def check(self, node: Node) -> None:
        condition, input1, input2 = node.operands()
        checks.dtype(node, condition, (DType.BOOL,), "condition")
        checks.dtype(node, input1, SUFFIX, "input")
        checks.same_dtype(node, input1, input2, node.output)
        shape = node.output.shape
        checks.shape(node, input1, shape, "input 1")
        checks.shape(node, input2, shape, "input 2")
        if condition.elements > 1 and condition.shape not in (shape, shape[:1]):
            raise checks.invalid(node, f"a condition {list(condition.shape)} for {list(shape)}")
        if len(shape) > MAX_RANK:
            raise unsupported(node, f"more than {MAX_RANK} dimensions", "reshape to fewer dimensions")

    def condition_shape(self, node: Node) -> tuple[int, ...]:
        condition, shape = node.input("condition").shape, node.output.shape
        return condition if condition == shape else condition + (1,) * (len(shape) - len(condition))


OPS = (SelectV2(), Select())
