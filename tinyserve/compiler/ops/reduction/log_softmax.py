# SPDX-License-Identifier: Apache-2.0
"""LOG_SOFTMAX over the last dimension. Kernels in ``kernels/log_softmax.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.reduction.softmax import INTEGER_BITS, exponentials, scaling
from tinyserve.compiler.ops.support import checks, fixed_point
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import quantize_multiplier
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Constant, Params

_CONVERT = "quantize the model again with a current converter, which sets the output's scale to 1/16"


@dataclass(frozen=True)
class LogSoftmaxF32Params(Params, c_type="ts_log_softmax_f32_params"):
    rows: int
    depth: int


@dataclass(frozen=True)
class LogSoftmaxS8Params(Params, c_type="ts_log_softmax_s8_params"):
    """The table has exponentials of differences; from ``table_size`` on they count as 0."""

    rows: int
    depth: int
    table_size: int
    table: Constant
    factor: Factor
    reverse_factor: Factor


class LogSoftmax(OpDef):
    """int8 and float32. TFLM takes the int8 output's scale 1/16 and zero point 127 for granted."""

    name = "LOG_SOFTMAX"
    types = (DType.INT8, DType.FLOAT32)
    limits = "int8 output with scale 1/16 and zero point 127"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, (DType.INT8, DType.FLOAT32), "input")
        checks.same_dtype(node, input, output)
        checks.shape(node, output, input.shape, "output")
        if not input.shape:
            raise checks.invalid(node, "input is a scalar")
        if input.dtype is DType.INT8:
            checks.per_tensor(node, input, output)
            if output.scale != 1 / 16 or output.zero_point != 127:
                raise unsupported(
                    node, f"output scale {output.scale:g}, zero point {output.zero_point}", _CONVERT
                )
            scaling(node, 1.0)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        depth = input.shape[-1]
        params: Params = LogSoftmaxF32Params(input.elements // depth, depth)
        if input.dtype is DType.INT8:
            params = self._quantized(node, lowering)
        source, target = lowering.operand(input), lowering.buffer(output)
        add_call(
            node,
            lowering,
            f"ts_log_softmax_{'s8' if input.dtype is DType.INT8 else 'f32'}",
            "log_softmax.h",
            params=params,
            inputs=[source],
            outputs=[target],
            overlaps=overlaps(source, target, 0),
        )

    def _quantized(self, node: Node, lowering: Lowering) -> LogSoftmaxS8Params:
        """TFLM's PreprocessLogSoftmaxScalingExp."""
        multiplier, shift = scaling(node, 1.0)
        last = fixed_point.input_radius(INTEGER_BITS, shift)
        # All differences get a table entry that TFLM does not take for 0; beyond 255 there is none.
        table = exponentials(multiplier, shift, min(255, last))
        input = node.input("input")
        return LogSoftmaxS8Params(
            rows=input.elements // input.shape[-1],
            depth=input.shape[-1],
            table_size=last + 1,
            table=lowering.constant(f"{node.output.name}_exp", table, "exp(-scale * i), Q0.31"),
            factor=Factor(multiplier, shift),
            reverse_factor=Factor(*quantize_multiplier((1 << (31 - shift)) / multiplier)),
        )


OPS = (LogSoftmax(),)
