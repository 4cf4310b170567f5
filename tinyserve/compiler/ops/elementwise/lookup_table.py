# SPDX-License-Identifier: Apache-2.0
"""Any function of an int8 value to an int8 value, made by the pass ``lookup_tables``: no file has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator
from tinyserve.compiler.ops.elementwise.unary import add_lookup
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op, unsupported

NAME = "TinyserveLookupTable"


@dataclass(frozen=True)
class LookupAttributes:
    """256 bytes, by the byte of the input."""

    table: bytes


class LookupTable(Op):
    name = NAME
    custom = True
    types = (DType.INT8,)

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, self.types, "input")
        checks.same_dtype(op, input, output)
        checks.elements(op, output, input.elements, "output")
        if not isinstance(op.attributes, LookupAttributes):
            raise unsupported(op, "a table that is not there", "convert the model again")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        add_lookup(op, lowering, np.frombuffer(op.attributes.table, np.uint8))


OPS = (LookupTable(),)
