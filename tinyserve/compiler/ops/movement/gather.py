# SPDX-License-Identifier: Apache-2.0
"""GATHER along one axis. Kernels in ``kernels/gather.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator, Options
from tinyserve.compiler.ops.movement.slice import resolved_axis
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import SUFFIX
from tinyserve.compiler.program import ParamValue


@dataclass(frozen=True)
class GatherAttributes:
    axis: int = 0
    batch_dims: int = 0


class Gather(Op):
    """Positions may be computed at run time; those outside of the axis read its nearest end."""

    name = "GATHER"
    types = SUFFIX
    limits = "int32 positions"

    def attributes(self, options: Options) -> GatherAttributes:
        return GatherAttributes(options.int32(0), options.int32(1))

    def check(self, op: Operator) -> None:
        checks.arity(op, 2)
        input, positions, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        checks.dtype(op, input, SUFFIX, "input")
        checks.same_dtype(op, input, output)
        checks.dtype(op, positions, (DType.INT32,), "positions")
        axis, batch = self._dimensions(op)
        if batch > min(axis, len(positions.shape)) or input.shape[:batch] != positions.shape[:batch]:
            raise checks.invalid(op, f"{batch} batch dimensions of {list(input.shape)}")
        shape = (*input.shape[:axis], *positions.shape[batch:], *input.shape[axis + 1 :])
        checks.elements(op, output, int(np.prod(shape, dtype=np.int64)), "output")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input, positions, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        axis, batch = self._dimensions(op)
        params: dict[str, ParamValue] = {
            "batches": int(np.prod(input.shape[:batch], dtype=np.int64)),
            "outer": int(np.prod(input.shape[batch:axis], dtype=np.int64)),
            "extent": input.shape[axis],
            "inner": int(np.prod(input.shape[axis + 1 :], dtype=np.int64)),
            "count": int(np.prod(positions.shape[batch:], dtype=np.int64)),
        }
        add_call(
            op,
            lowering,
            f"ts_gather_{SUFFIX[input.dtype]}",
            "gather.h",
            params=params,
            inputs=[lowering.operand(input), lowering.operand(positions)],
            outputs=[lowering.buffer(output)],
            params_type="ts_gather_params",
        )

    def _dimensions(self, op: Operator) -> tuple[int, int]:
        """Axis and number of batch dimensions, both from the front."""
        attributes: GatherAttributes = op.attributes
        axis = resolved_axis(op, attributes.axis, len(checks.required(op, 0).shape))
        rank = len(checks.required(op, 1).shape)
        batch = attributes.batch_dims + (rank if attributes.batch_dims < 0 else 0)
        if not 0 <= batch <= rank:
            raise checks.invalid(op, f"{attributes.batch_dims} batch dimensions")
        return axis, batch


OPS = (Gather(),)
