# SPDX-License-Identifier: Apache-2.0
"""SELECT and SELECT_V2: elements of one or the other input. Kernels in ``kernels/select.h``."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Operator, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op, unsupported
from tinyserve.compiler.ops.support.broadcast import (
    MAX_RANK,
    broadcast_overlaps,
    check_broadcast,
    element_strides,
)
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import SUFFIX
from tinyserve.compiler.program import ParamValue


class SelectV2(Op):
    """All three inputs broadcast. Quantized values are copied as they are."""

    name = "SELECT_V2"
    types = SUFFIX
    limits = "up to 6 dimensions"

    def check(self, op: Operator) -> None:
        checks.arity(op, 3)
        condition, input1, input2 = (checks.required(op, index) for index in range(3))
        checks.dtype(op, condition, (DType.BOOL,), "condition")
        checks.dtype(op, input1, SUFFIX, "input")
        checks.same_dtype(op, input1, input2, op.outputs[0])
        check_broadcast(op, condition, input1, input2)

    def condition_shape(self, op: Operator) -> tuple[int, ...]:
        """The condition's shape as it broadcasts."""
        return checks.required(op, 0).shape

    def lower(self, op: Operator, lowering: Lowering) -> None:
        inputs = [checks.required(op, index) for index in range(3)]
        output = op.outputs[0]
        shape = (1,) * (MAX_RANK - len(output.shape)) + output.shape
        params: dict[str, ParamValue] = {
            "shape": shape,
            "condition_strides": tuple(element_strides(self.condition_shape(op), shape)),
            "strides1": _strides(inputs[1], shape),
            "strides2": _strides(inputs[2], shape),
        }
        broadcasts = self.condition_shape(op) == inputs[0].shape
        sources = [lowering.operand(tensor) for tensor in inputs]
        target = lowering.buffer(output)
        add_call(
            op,
            lowering,
            f"ts_select_{SUFFIX[output.dtype]}",
            "select.h",
            params=params,
            inputs=sources,
            outputs=[target],
            params_type="ts_select_params",
            overlaps=broadcast_overlaps(op, inputs, sources, target) if broadcasts else [],
        )


def _strides(tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(element_strides(tensor.shape, shape))


class Select(SelectV2):
    """The older one, which TFLM lacks: the condition has the inputs' shape, or one value per row."""

    name = "SELECT"

    def check(self, op: Operator) -> None:
        checks.arity(op, 3)
        condition, input1, input2 = (checks.required(op, index) for index in range(3))
        checks.dtype(op, condition, (DType.BOOL,), "condition")
        checks.dtype(op, input1, SUFFIX, "input")
        checks.same_dtype(op, input1, input2, op.outputs[0])
        shape = op.outputs[0].shape
        checks.shape(op, input1, shape, "input 1")
        checks.shape(op, input2, shape, "input 2")
        if condition.elements > 1 and condition.shape not in (shape, shape[:1]):
            raise checks.invalid(op, f"a condition {list(condition.shape)} for {list(shape)}")
        if len(shape) > MAX_RANK:
            raise unsupported(op, f"more than {MAX_RANK} dimensions", "reshape to fewer dimensions")

    def condition_shape(self, op: Operator) -> tuple[int, ...]:
        condition, shape = checks.required(op, 0).shape, op.outputs[0].shape
        return condition if condition == shape else condition + (1,) * (len(shape) - len(condition))


OPS = (SelectV2(), Select())
