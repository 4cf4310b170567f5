"""SOFTMAX over the last dimension. Kernels in ``kernels/softmax.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.codegen.program import ParamValue
from tinyserve.graph.types import DType, Operator, Options
from tinyserve.ops import checks, fixed_point
from tinyserve.ops.base import Lowering, Op, unsupported
from tinyserve.ops.calls import add_call
from tinyserve.ops.overlap import lead_bytes, overlaps
from tinyserve.ops.quantize_params import quantize_multiplier

_INTEGER_BITS = 5  # of the scaled differences
_EXP = "quantize the model again with a current converter, which sets the output's scale to 1/256"


@dataclass(frozen=True)
class SoftmaxAttributes:
    beta: float = 1.0


class Softmax(Op):
    """int8 to int8 or int16, and float32. The exponentials of all differences to the maximum are a table."""

    name = "SOFTMAX"

    def attributes(self, options: Options) -> SoftmaxAttributes:
        return SoftmaxAttributes(options.float32(0))

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, (DType.INT8, DType.FLOAT32), "input")
        checks.shape(op, output, input.shape, "output")
        if not input.shape:
            raise checks.invalid(op, "input is a scalar")
        if input.dtype is DType.FLOAT32:
            checks.same_dtype(op, input, output)
            return
        checks.dtype(op, output, (DType.INT8, DType.INT16), "output")
        checks.per_tensor(op, input, output)
        self._check_output(op)
        _scaling(op)

    def _check_output(self, op: Operator) -> None:
        output = op.outputs[0]
        scale, zero_point, tolerance = (
            (1 / 256, -128, 0.0) if output.dtype is DType.INT8 else (1 / 65536, -32768, 1e-3 / 65536)
        )
        if abs(output.scale - scale) > tolerance or output.zero_point != zero_point:
            raise unsupported(op, f"output scale {output.scale:g}, zero point {output.zero_point}", _EXP)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input, output = checks.required(op, 0), op.outputs[0]
        depth = input.shape[-1]
        params: dict[str, ParamValue] = {"rows": input.elements // depth, "depth": depth}
        source, target = lowering.operand(input), lowering.buffer(output)
        if input.dtype is DType.FLOAT32:
            function = "ts_softmax_f32"
            params["beta"] = op.attributes.beta
        else:
            function = "ts_softmax_s8" if output.dtype is DType.INT8 else "ts_softmax_s8_s16"
            exponentials = exp_table(op)
            params["table_size"] = len(exponentials)
            params["table"] = lowering.constant(f"{output.name}_exp", exponentials, "exp(-scale * i), Q0.31")
        add_call(
            op,
            lowering,
            function,
            "softmax.h",
            params=params,
            inputs=[source],
            outputs=[target],
            params_type="ts_softmax_f32_params" if input.dtype is DType.FLOAT32 else "ts_softmax_s8_params",
            overlaps=overlaps(source, target, self._lead(op)),
        )

    def _lead(self, op: Operator) -> int:
        """Element by element in the last walk over a row; the walks before only read."""
        input, output = checks.required(op, 0), op.outputs[0]
        order = np.arange(input.elements, dtype=np.int64)
        return lead_bytes(order * input.dtype.itemsize, (order + 1) * output.dtype.itemsize)


def _scaling(op: Operator) -> tuple[int, int]:
    """Multiplier and left shift that bring a difference of inputs to Q5: TFLM's PreprocessSoftmaxScaling."""
    real = op.attributes.beta * checks.required(op, 0).scale * (1 << (31 - _INTEGER_BITS))
    if not (math.isfinite(real) and real > 1.0):
        raise unsupported(op, f"beta {op.attributes.beta:g} times the input's scale is too small", _EXP)
    return quantize_multiplier(min(real, 2.0**31 - 1.0))


def exp_table(op: Operator) -> npt.NDArray[np.int32]:
    """exp(-i * scale * beta) in Q0 for differences 0, 1, ... up to the last that TFLM does not take for 0."""
    multiplier, left_shift = _scaling(op)
    last = min(255, fixed_point.input_radius(_INTEGER_BITS, left_shift))
    values = [
        fixed_point.exp_on_negative_values(
            fixed_point.multiply_high(fixed_point.wrap(-difference << left_shift), multiplier), _INTEGER_BITS
        )
        for difference in range(last + 1)
    ]
    return np.array(values, dtype=np.int32)


OPS = (Softmax(),)
