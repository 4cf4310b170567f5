"""SELECT_V2: elements of one or the other input. Kernels in ``kernels/select.h``."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Operator, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
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

    def lower(self, op: Operator, lowering: Lowering) -> None:
        inputs = [checks.required(op, index) for index in range(3)]
        output = op.outputs[0]
        shape = (1,) * (MAX_RANK - len(output.shape)) + output.shape
        params: dict[str, ParamValue] = {
            "shape": shape,
            "condition_strides": _strides(inputs[0], shape),
            "strides1": _strides(inputs[1], shape),
            "strides2": _strides(inputs[2], shape),
        }
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
            overlaps=broadcast_overlaps(op, inputs, sources, target),
        )


def _strides(tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(element_strides(tensor.shape, shape))


OPS = (SelectV2(),)
