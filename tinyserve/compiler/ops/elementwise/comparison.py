# SPDX-License-Identifier: Apache-2.0
"""EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, LOGICAL_AND, LOGICAL_OR, LOGICAL_NOT.

Kernels in ``kernels/comparison.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.elementwise.unary import add_lookup, byte_table
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.binary import Binary
from tinyserve.compiler.ops.support.broadcast import Broadcast
from tinyserve.compiler.ops.support.quantize_params import quantize_multiplier
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Params

_ORDERED = {
    DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32", DType.INT64: "s64", DType.FLOAT32: "f32",
}  # fmt: skip
_GREATER: dict[DType, str] = {dtype: suffix for dtype, suffix in _ORDERED.items() if dtype is not DType.INT16}
_LOGICAL = {DType.BOOL: "b8"}
_EQUALITY = {**_ORDERED, **_LOGICAL}


@dataclass(frozen=True)
class ComparisonParams(Params, c_type="ts_comparison_params"):
    broadcast: Broadcast


@dataclass(frozen=True)
class ComparisonS8Params(Params, c_type="ts_comparison_s8_params"):
    """What brings each input to real values."""

    broadcast: Broadcast
    offset1: int
    factor1: Factor
    offset2: int
    factor2: Factor


class Comparison(Binary):
    """int8 operands are scaled to real values first: TFLM's ComparisonsPrepare, for scales below 1. It has no
    int16, and LiteRT compares the integers: right for operands of one scale, and beside zero."""

    header = "comparison"
    limits = "up to 6 dimensions; int8 scales below 1; int16 of one scale, or beside zero"
    suffixes = _ORDERED
    types = suffixes
    output_dtype = DType.BOOL

    def __init__(self, name: str) -> None:
        self.name = name
        self.kernel = name.lower()

    def check_values(self, node: Node) -> None:
        tensors = [node.input("input1"), node.input("input2")]
        if tensors[0].dtype is DType.INT8:
            checks.per_tensor(node, *tensors)
            if any(tensor.scale >= 1.0 for tensor in tensors):
                raise unsupported(
                    node,
                    "an input's scale is 1 or more",
                    "divide the values before they are compared, or convert with the layer kept in float",
                )
        if tensors[0].dtype is DType.INT16:
            _check_plain(node, *tensors)

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        input1, input2 = node.input("input1"), node.input("input2")
        if input1.dtype is not DType.INT8:
            return ComparisonParams(broadcast)
        return ComparisonS8Params(broadcast, *_scaling(input1), *_scaling(input2))


def _check_plain(node: Node, first: Tensor, second: Tensor) -> None:
    """Raises UnsupportedError where real values are not in the order of the integers."""
    quantized = [tensor for tensor in (first, second) if checks.is_quantized(tensor)]
    checks.per_tensor(node, *quantized)
    checks.symmetric(node, *quantized)
    alike = len(quantized) != 1 and len({tensor.scale for tensor in quantized}) <= 1
    if not alike and not any(tensor.data is not None and not tensor.data.any() for tensor in (first, second)):
        raise unsupported(
            node, "int16 inputs of different scales", "convert the float model with the layer kept in float"
        )


def _scaling(tensor: Tensor) -> tuple[int, Factor]:
    """Offset and factor."""
    return -tensor.zero_point, Factor(*quantize_multiplier(tensor.scale))


class Equality(Comparison):
    """Booleans can be equal, too, but not greater."""

    suffixes = _EQUALITY
    types = suffixes


class Greater(Comparison):
    """Not of int16: TFLM takes that here alone and never prepares its factors, so that nothing is
    greater than anything."""

    suffixes = _GREATER
    types = suffixes


class Logical(Comparison):
    limits = "up to 6 dimensions"
    suffixes = _LOGICAL
    types = suffixes


class LogicalNot(OpDef):
    name = "LOGICAL_NOT"
    types = (DType.BOOL,)

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, (DType.BOOL,), "input")
        checks.same_dtype(node, input, output)
        checks.elements(node, output, input.elements, "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        add_lookup(node, lowering, byte_table(DType.UINT8, lambda value: 0 if value else 1))


OPS = (
    *map(Equality, ("EQUAL", "NOT_EQUAL")),
    Greater("GREATER"),
    *map(Comparison, ("GREATER_EQUAL", "LESS", "LESS_EQUAL")),
    *map(Logical, ("LOGICAL_AND", "LOGICAL_OR")),
    LogicalNot(),
)
