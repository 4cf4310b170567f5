# SPDX-License-Identifier: Apache-2.0
"""FILL and ZEROS_LIKE: one value everywhere. Kernels in ``kernels/fill.h``."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Operator
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import SUFFIX
from tinyserve.compiler.program import Operand


class Fill(Op):
    """The output tensor carries the shape, input 0 is not read. Input 1 is the value."""

    name = "FILL"
    types = SUFFIX

    def check(self, op: Operator) -> None:
        checks.arity(op, 2)
        value, output = checks.required(op, 1), op.outputs[0]
        checks.elements(op, value, 1, "the value")
        checks.dtype(op, value, SUFFIX, "the value")
        checks.same_dtype(op, value, output)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        _add_fill(op, lowering, lowering.operand(checks.required(op, 1)))


class ZerosLike(Op):
    """Plain zeros, whatever the zero point: as TFLM."""

    name = "ZEROS_LIKE"
    types = SUFFIX

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, SUFFIX, "input")
        checks.same_dtype(op, input, output)
        checks.elements(op, output, input.elements, "output")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        zero = np.zeros(1, dtype=op.outputs[0].dtype.numpy)
        _add_fill(op, lowering, lowering.constant("zero", zero))


def _add_fill(op: Operator, lowering: Lowering, value: Operand) -> None:
    output = op.outputs[0]
    add_call(
        op,
        lowering,
        f"ts_fill_{SUFFIX[output.dtype]}",
        "fill.h",
        params={"count": output.elements},
        inputs=[value],
        outputs=[lowering.buffer(output)],
        params_type="ts_fill_params",
    )


OPS = (Fill(), ZerosLike())
