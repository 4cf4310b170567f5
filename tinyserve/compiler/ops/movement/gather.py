# SPDX-License-Identifier: Apache-2.0
"""GATHER along one axis. Kernels in ``kernels/gather.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.movement.slice import resolved_axis
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import SUFFIX
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class GatherAttributes:
    axis: int = 0
    batch_dims: int = 0


@dataclass(frozen=True)
class GatherParams(Params, c_type="ts_gather_params"):
    """``count`` positions along the axis of ``extent``, in each batch."""

    batches: int
    outer: int
    extent: int
    inner: int
    count: int


class Gather(OpDef):
    """Positions may be computed at run time; those outside of the axis read its nearest end."""

    name = "GATHER"
    inputs = ("input", "positions")
    types = SUFFIX
    limits = "int32 positions"

    def attributes(self, options: Options) -> GatherAttributes:
        return GatherAttributes(options.int32("axis"), options.int32("batch_dims"))

    def check(self, node: Node) -> None:
        input, positions, output = node.input("input"), node.input("positions"), node.output
        checks.dtype(node, input, SUFFIX, "input")
        checks.same_dtype(node, input, output)
        checks.dtype(node, positions, (DType.INT32,), "positions")
        axis, batch = self._dimensions(node)
        if batch > min(axis, len(positions.shape)) or input.shape[:batch] != positions.shape[:batch]:
            raise checks.invalid(node, f"{batch} batch dimensions of {list(input.shape)}")
        shape = (*input.shape[:axis], *positions.shape[batch:], *input.shape[axis + 1 :])
        checks.elements(node, output, int(np.prod(shape, dtype=np.int64)), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, positions, output = node.input("input"), node.input("positions"), node.output
        axis, batch = self._dimensions(node)
        params = GatherParams(
            batches=math.prod(input.shape[:batch]),
            outer=math.prod(input.shape[batch:axis]),
            extent=input.shape[axis],
            inner=math.prod(input.shape[axis + 1 :]),
            count=math.prod(positions.shape[batch:]),
        )
        add_call(
            node,
            lowering,
            f"ts_gather_{SUFFIX[input.dtype]}",
            "gather.h",
            params=params,
            inputs=[lowering.operand(input), lowering.operand(positions)],
            outputs=[lowering.buffer(output)],
        )

    def _dimensions(self, node: Node) -> tuple[int, int]:
        """Axis and number of batch dimensions, both from the front."""
        attributes: GatherAttributes = node.attributes
        axis = resolved_axis(node, attributes.axis, len(node.input("input").shape))
        rank = len(node.input("positions").shape)
        batch = attributes.batch_dims + (rank if attributes.batch_dims < 0 else 0)
        if not 0 <= batch <= rank:
            raise checks.invalid(node, f"{attributes.batch_dims} batch dimensions")
        return axis, batch


OPS = (Gather(),)
