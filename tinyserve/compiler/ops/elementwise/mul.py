# SPDX-License-Identifier: Apache-2.0
"""MUL with broadcasting. Kernels in ``kernels/mul.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Operator, Options
from tinyserve.compiler.ops.elementwise.add import SUFFIX
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps, broadcast_params, check_broadcast
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    activation_range,
    check_activation,
    float_range,
    int32_range,
    ratio,
    requantization,
)
from tinyserve.compiler.program import ParamValue


@dataclass(frozen=True)
class MulAttributes:
    activation: Activation = Activation.NONE


class Mul(Op):
    """The product of the scales over the output's, in float64: TFLM's CalculateOpDataMul."""

    name = "MUL"
    types = SUFFIX
    limits = "up to 6 dimensions"

    def attributes(self, options: Options) -> MulAttributes:
        return MulAttributes(Activation.read(options, 0))

    def check(self, op: Operator) -> None:
        checks.arity(op, 2)
        input1, input2, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        checks.dtype(op, input1, SUFFIX, "input")
        checks.same_dtype(op, input1, input2, output)
        check_broadcast(op, input1, input2)
        check_activation(op, op.attributes.activation)
        if input1.dtype in (DType.INT8, DType.INT16):
            checks.per_tensor(op, input1, input2, output)
            activation_range(op, op.attributes.activation, output)
            _requantization(op)
        if input1.dtype is DType.INT16:
            checks.symmetric(op, input1, input2, output)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        if lowering.lower_variant("mul", op):
            return
        kind = SUFFIX[op.outputs[0].dtype]
        self.add(op, lowering, Kernel(f"ts_mul_{kind}", "mul.h"))

    def add(self, op: Operator, lowering: Lowering, kernel: Kernel) -> None:
        """Appends the call of a kernel that takes the portable kernels' parameters."""
        input1, input2, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        activation: Activation = op.attributes.activation
        params: dict[str, ParamValue] = {**broadcast_params(input1, input2, output)}
        if output.dtype is DType.FLOAT32:
            params["activation_min"], params["activation_max"] = float_range(activation)
        elif output.dtype is DType.INT32:
            params["activation_min"], params["activation_max"] = int32_range(activation)
        else:
            params["activation_min"], params["activation_max"] = activation_range(op, activation, output)
            params["offset1"], params["offset2"] = -input1.zero_point, -input2.zero_point
            params["output_offset"] = output.zero_point
            params["multiplier"], params["shift"] = _requantization(op)
        sources = [lowering.operand(input1), lowering.operand(input2)]
        target = lowering.buffer(output)
        kind = SUFFIX[output.dtype]
        add_call(
            op,
            lowering,
            kernel.function,
            kernel.header,
            params=params,
            inputs=sources,
            outputs=[target],
            params_type=f"ts_mul_{kind if kind in ('s32', 'f32') else 'quantized'}_params",
            overlaps=broadcast_overlaps(op, [input1, input2], sources, target),
            variant=kernel.variant,
            reason=kernel.reason,
        )


def _requantization(op: Operator) -> tuple[int, int]:
    scale1, scale2 = checks.required(op, 0).scale, checks.required(op, 1).scale
    return requantization(op, ratio(scale1 * scale2, op.outputs[0].scale))


OPS = (Mul(),)
