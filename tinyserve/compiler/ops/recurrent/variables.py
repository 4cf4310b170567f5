# SPDX-License-Identifier: Apache-2.0
"""VAR_HANDLE, READ_VARIABLE and ASSIGN_VARIABLE: values that live across inferences, copied by ``move.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Operator, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.move import move


@dataclass(frozen=True)
class VariableAttributes:
    container: str
    shared_name: str


class VarHandle(Op):
    """Variables are distinguished by container and name."""

    name = "VAR_HANDLE"
    types = (DType.RESOURCE,)

    def attributes(self, options: Options) -> VariableAttributes:
        return VariableAttributes(options.string(0), options.string(1))

    def check(self, op: Operator) -> None:
        checks.arity(op, 0)
        checks.dtype(op, op.outputs[0], (DType.RESOURCE,), "output")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        attributes: VariableAttributes = op.attributes
        lowering.declare_variable(op.outputs[0], f"{attributes.container}/{attributes.shared_name}")


class ReadVariable(Op):
    name = "READ_VARIABLE"
    types = (DType.RESOURCE,)
    limits = "values of any type"

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        checks.dtype(op, checks.required(op, 0), (DType.RESOURCE,), "input")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        output = op.outputs[0]
        state = lowering.variable(checks.required(op, 0), output)
        lowering.call(move(state, lowering.buffer(output), output.name, "the variable's value"))


class AssignVariable(Op):
    name = "ASSIGN_VARIABLE"
    types = (DType.RESOURCE,)
    limits = "values of any type"

    def check(self, op: Operator) -> None:
        checks.arity(op, 2, outputs=0)
        checks.dtype(op, checks.required(op, 0), (DType.RESOURCE,), "input 0")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        value = checks.required(op, 1)
        state = lowering.variable(checks.required(op, 0), value)
        lowering.call(
            move(lowering.operand(value), state, f"assign_{value.name}", "the variable's new value")
        )


OPS = (VarHandle(), ReadVariable(), AssignVariable())
