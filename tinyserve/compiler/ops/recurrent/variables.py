# SPDX-License-Identifier: Apache-2.0
"""VAR_HANDLE, READ_VARIABLE and ASSIGN_VARIABLE: values that live across inferences, copied by ``move.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.move import move


@dataclass(frozen=True)
class VariableAttributes:
    container: str
    shared_name: str


class VarHandle(OpDef):
    """Variables are distinguished by container and name."""

    name = "VAR_HANDLE"
    inputs = ()
    types = (DType.RESOURCE,)

    def attributes(self, options: Options) -> VariableAttributes:
        return VariableAttributes(options.string("container"), options.string("shared_name"))

    def check(self, node: Node) -> None:
        checks.dtype(node, node.output, (DType.RESOURCE,), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        attributes: VariableAttributes = node.attributes
        lowering.declare_variable(node.output, f"{attributes.container}/{attributes.shared_name}")


class ReadVariable(OpDef):
    name = "READ_VARIABLE"
    inputs = ("handle",)
    types = (DType.RESOURCE,)
    limits = "values of any type"

    def check(self, node: Node) -> None:
        checks.dtype(node, node.input("handle"), (DType.RESOURCE,), "input")

    def lower(self, node: Node, lowering: Lowering) -> None:
        output = node.output
        state = lowering.variable(node.input("handle"), output)
        lowering.call(move(state, lowering.buffer(output), output.name, "the variable's value"))


class AssignVariable(OpDef):
    name = "ASSIGN_VARIABLE"
    inputs = ("handle", "value")
    outputs = ()
    types = (DType.RESOURCE,)
    limits = "values of any type"

    def check(self, node: Node) -> None:
        checks.dtype(node, node.input("handle"), (DType.RESOURCE,), "input 0")

    def lower(self, node: Node, lowering: Lowering) -> None:
        value = node.input("value")
        state = lowering.variable(node.input("handle"), value)
        lowering.call(
            move(lowering.operand(value), state, f"assign_{value.name}", "the variable's new value")
        )


OPS = (VarHandle(), ReadVariable(), AssignVariable())
