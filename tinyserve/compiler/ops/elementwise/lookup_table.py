# SPDX-License-Identifier: Apache-2.0
"""Any function of an int8 value to an int8 value, made by the pass ``lookup_tables``: no file has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.rows import RowRule, rows_of_elementwise
from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.unary import add_lookup
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported

NAME = "TinyserveLookupTable"


@dataclass(frozen=True)
class LookupAttributes:
    """256 bytes, by the byte of the input."""

    table: bytes


class LookupTable(OpDef):
    name = NAME
    custom = True
    types = (DType.INT8,)

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, output)
        checks.elements(node, output, input.elements, "output")
        if not isinstance(node.attributes, LookupAttributes):
            raise unsupported(node, "a table that is not there", "convert the model again")

    def rows(self, node: Node) -> RowRule | None:
        return rows_of_elementwise(node)

    def lower(self, node: Node, lowering: Lowering) -> None:
        add_lookup(node, lowering, np.frombuffer(node.attributes.table, np.uint8))


OPS = (LookupTable(),)
