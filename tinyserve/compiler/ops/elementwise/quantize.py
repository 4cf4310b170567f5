# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE (from float32, and between integer types) and DEQUANTIZE. Kernels in ``kernels/quantize.h``."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Operator
from tinyserve.compiler.ops.elementwise.unary import add_elementwise, add_lookup, byte_table
from tinyserve.compiler.ops.support import checks, fixed_point
from tinyserve.compiler.ops.support.base import Lowering, Op, unsupported
from tinyserve.compiler.ops.support.quantize_params import INTEGER_RANGE, ratio, requantization
from tinyserve.compiler.program import ParamValue

_SUFFIX = {
    DType.INT8: "s8",
    DType.UINT8: "u8",
    DType.INT16: "s16",
    DType.INT32: "s32",
    DType.FLOAT32: "f32",
}
_BYTES = (DType.INT8, DType.UINT8)
_PAIRS = {
    (DType.FLOAT32, DType.INT8), (DType.FLOAT32, DType.INT16),
    (DType.INT8, DType.INT8), (DType.INT8, DType.UINT8), (DType.UINT8, DType.INT8),
    (DType.INT8, DType.INT16), (DType.INT8, DType.INT32), (DType.INT16, DType.INT8),
    (DType.INT16, DType.INT16), (DType.INT16, DType.INT32), (DType.INT32, DType.INT8),
    (DType.INT32, DType.INT16),
}  # fmt: skip


class Quantize(Op):
    """TFLM's AffineQuantize and Requantize."""

    name = "QUANTIZE"
    types = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32)
    limits = "float32 to int8 and int16; between int8, int16, int32 and uint8 as TFLM has it"

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.elements(op, output, input.elements, "output")
        if (input.dtype, output.dtype) not in _PAIRS:
            raise unsupported(
                op, f"from {input.dtype.value} to {output.dtype.value}", "use int8 or int16 activations"
            )
        checks.per_tensor(op, output)
        if input.dtype is not DType.FLOAT32:
            checks.per_tensor(op, input)
            _factor(op)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input, output = checks.required(op, 0), op.outputs[0]
        function = f"ts_quantize_{_SUFFIX[input.dtype]}_{_SUFFIX[output.dtype]}"
        if input.dtype is DType.FLOAT32:
            params: dict[str, ParamValue] = {"scale": output.scale, "zero_point": output.zero_point}
            add_elementwise(op, lowering, function, params, header="quantize.h", kind="ts_quantize_f32")
            return
        multiplier, shift = _factor(op)
        if input.dtype in _BYTES and output.dtype in _BYTES:
            low, high = INTEGER_RANGE[output.dtype]

            def value(quantized: int) -> int:
                scaled = fixed_point.requantize(quantized - input.zero_point, multiplier, shift)
                return max(low, min(high, fixed_point.wrap(scaled + output.zero_point)))

            add_lookup(op, lowering, byte_table(input.dtype, value))
            return
        params = {
            "input_offset": -input.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "output_offset": output.zero_point,
        }
        add_elementwise(op, lowering, function, params, header="quantize.h", kind="ts_requantize")


def _factor(op: Operator) -> tuple[int, int]:
    return requantization(op, ratio(checks.required(op, 0).scale, op.outputs[0].scale))


class Dequantize(Op):
    """scale * (value - zero point)."""

    name = "DEQUANTIZE"
    types = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32)
    limits = "to float32"

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, (DType.INT8, DType.UINT8, DType.INT16, DType.INT32), "input")
        checks.dtype(op, output, (DType.FLOAT32,), "output")
        checks.elements(op, output, input.elements, "output")
        checks.per_tensor(op, input)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input = checks.required(op, 0)
        params: dict[str, ParamValue] = {"scale": input.scale, "zero_point": input.zero_point}
        function = f"ts_dequantize_{_SUFFIX[input.dtype]}"
        add_elementwise(op, lowering, function, params, header="quantize.h", kind="ts_dequantize")


OPS = (Quantize(), Dequantize())
