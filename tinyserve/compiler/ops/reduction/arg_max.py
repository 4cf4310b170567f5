# SPDX-License-Identifier: Apache-2.0
"""ARG_MAX and ARG_MIN along one axis. Kernels in ``kernels/arg_max.h``."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator
from tinyserve.compiler.ops.movement.slice import integers, resolved_axis
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.axis import axis_params, check_computed_axis
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import ParamValue

_SUFFIX = {DType.INT8: "s8", DType.FLOAT32: "f32"}
_OUTPUTS = {DType.INT32: "", DType.INT64: "_s64"}
"""TFLM writes int32 alone; int64 is what LiteRT gives for Keras' and ONNX' default."""


class ArgMax(Op):
    """Input 1 holds the axis; the output is int32."""

    name = "ARG_MAX"
    types = _SUFFIX
    limits = "int32 or int64 output; int32 where the axis is computed"

    def check(self, op: Operator) -> None:
        checks.arity(op, 2)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, _SUFFIX, "input")
        checks.dtype(op, output, _OUTPUTS, "output")
        if checks.required(op, 1).is_constant:
            extent = input.shape[self._axis(op)]
            checks.elements(op, output, input.elements // extent, "output")
            return
        checks.dtype(op, output, (DType.INT32,), "output")
        check_computed_axis(op)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input, kind = checks.required(op, 0), _SUFFIX[checks.required(op, 0).dtype]
        if not checks.required(op, 1).is_constant:
            self._lower_computed(op, lowering, kind)
            return
        axis = self._axis(op)
        params: dict[str, ParamValue] = {
            "outer": int(np.prod(input.shape[:axis], dtype=np.int64)),
            "extent": input.shape[axis],
            "inner": int(np.prod(input.shape[axis + 1 :], dtype=np.int64)),
        }
        add_call(
            op,
            lowering,
            f"ts_{self.name.lower()}_{kind}{_OUTPUTS[op.outputs[0].dtype]}",
            "arg_max.h",
            params=params,
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(op.outputs[0])],
            params_type="ts_arg_max_params",
        )

    def _lower_computed(self, op: Operator, lowering: Lowering, kind: str) -> None:
        input, axis, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        add_call(
            op,
            lowering,
            f"ts_{self.name.lower()}_{kind}_at",
            "arg_max.h",
            params={**axis_params(input), "outputs": output.elements},
            inputs=[lowering.operand(input), lowering.operand(axis)],
            outputs=[lowering.buffer(output)],
            params_type="ts_arg_max_at_params",
        )

    def _axis(self, op: Operator) -> int:
        return resolved_axis(op, integers(op, 1, "the axis", 1)[0], len(checks.required(op, 0).shape))


class ArgMin(ArgMax):
    name = "ARG_MIN"
    types = _SUFFIX
    limits = "int32 or int64 output; int32 where the axis is computed"


OPS = (ArgMax(), ArgMin())
