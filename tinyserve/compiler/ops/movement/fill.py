# SPDX-License-Identifier: Apache-2.0
"""FILL and ZEROS_LIKE: one value everywhere. Kernels in ``kernels/fill.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import SUFFIX
from tinyserve.compiler.program import Operand, Params


@dataclass(frozen=True)
class FillParams(Params, c_type="ts_fill_params"):
    elements: int


class Fill(OpDef):
    """The output tensor carries the shape, ``shape`` is not read."""

    name = "FILL"
    inputs = ("shape", "value")
    types = SUFFIX

    def check(self, node: Node) -> None:
        value, output = node.input("value"), node.output
        checks.elements(node, value, 1, "the value")
        checks.dtype(node, value, SUFFIX, "the value")
        checks.same_dtype(node, value, output)

    def lower(self, node: Node, lowering: Lowering) -> None:
        _add_fill(node, lowering, lowering.operand(node.input("value")))


class ZerosLike(OpDef):
    """Plain zeros, whatever the zero point: as TFLM."""

    name = "ZEROS_LIKE"
    types = SUFFIX

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, SUFFIX, "input")
        checks.same_dtype(node, input, output)
        checks.elements(node, output, input.elements, "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        zero = np.zeros(1, dtype=node.output.dtype.numpy)
        _add_fill(node, lowering, lowering.constant("zero", zero))


def _add_fill(node: Node, lowering: Lowering, value: Operand) -> None:
    output = node.output
    add_call(
        node,
        lowering,
        f"ts_fill_{SUFFIX[output.dtype]}",
        "fill.h",
        params=FillParams(output.elements),
        inputs=[value],
        outputs=[lowering.buffer(output)],
    )


OPS = (Fill(), ZerosLike())
