# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE (from float32, and between integer types) and DEQUANTIZE. Kernels in ``kernels/quantize.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.rows import RowRule, rows_of_elementwise
from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.unary import add_elementwise, add_lookup, byte_table
from tinyserve.compiler.ops.support import checks, fixed_point
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.quantize_params import INTEGER_RANGE, ratio, requantization
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Params

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


@dataclass(frozen=True)
class QuantizeF32Params(Params, c_type="ts_quantize_f32_params"):
    elements: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class RequantizeParams(Params, c_type="ts_requantize_params"):
    elements: int
    input_offset: int
    factor: Factor
    output_offset: int


@dataclass(frozen=True)
class DequantizeParams(Params, c_type="ts_dequantize_params"):
    elements: int
    scale: float
    zero_point: int


class Quantize(OpDef):
    """TFLM's AffineQuantize and Requantize."""

    name = "QUANTIZE"
    types = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32)
    limits = "float32 to int8 and int16; between int8, int16, int32 and uint8 as TFLM has it"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.elements(node, output, input.elements, "output")
        if (input.dtype, output.dtype) not in _PAIRS:
            raise unsupported(
                node, f"from {input.dtype.value} to {output.dtype.value}", "use int8 or int16 activations"
            )
        checks.per_tensor(node, output)
        if input.dtype is not DType.FLOAT32:
            checks.per_tensor(node, input)
            _factor(node)

    def rows(self, node: Node) -> RowRule | None:
        return rows_of_elementwise(node)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        function = f"ts_quantize_{_SUFFIX[input.dtype]}_{_SUFFIX[output.dtype]}"
        if input.dtype is DType.FLOAT32:
            real = QuantizeF32Params(output.elements, output.scale, output.zero_point)
            add_elementwise(node, lowering, function, real, header="quantize.h")
            return
        multiplier, shift = _factor(node)
        if input.dtype in _BYTES and output.dtype in _BYTES:
            low, high = INTEGER_RANGE[output.dtype]

            def value(quantized: int) -> int:
                scaled = fixed_point.requantize(quantized - input.zero_point, multiplier, shift)
                return max(low, min(high, fixed_point.wrap(scaled + output.zero_point)))

            add_lookup(node, lowering, byte_table(input.dtype, value))
            return
        params = RequantizeParams(
            output.elements, -input.zero_point, Factor(multiplier, shift), output.zero_point
        )
        add_elementwise(node, lowering, function, params, header="quantize.h")


def _factor(node: Node) -> tuple[int, int]:
    return requantization(node, ratio(node.input("input").scale, node.output.scale))


class Dequantize(OpDef):
    """scale * (value - zero point)."""

    name = "DEQUANTIZE"
    types = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32)
    limits = "to float32"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, (DType.INT8, DType.UINT8, DType.INT16, DType.INT32), "input")
        checks.dtype(node, output, (DType.FLOAT32,), "output")
        checks.elements(node, output, input.elements, "output")
        checks.per_tensor(node, input)

    def rows(self, node: Node) -> RowRule | None:
        return rows_of_elementwise(node)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input = node.input("input")
        params = DequantizeParams(input.elements, input.scale, input.zero_point)
        function = f"ts_dequantize_{_SUFFIX[input.dtype]}"
        add_elementwise(node, lowering, function, params, header="quantize.h")


OPS = (Quantize(), Dequantize())
