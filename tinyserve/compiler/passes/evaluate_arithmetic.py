# SPDX-License-Identifier: Apache-2.0
"""Values of arithmetic on constants: only what has the same result on every machine.

Integers wrap as two's complement does; of float32 only single operations, which IEEE 754 defines to the bit.
Each function returns the output's value, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node

Array = npt.NDArray[Any]
Evaluator = Callable[..., Array | None]
"""Of a node and the values of its inputs, in the order of the file."""

_INTEGERS = (DType.INT32, DType.INT64)
_QUANTIZED = {DType.INT8: (-128, 127), DType.INT16: (-32768, 32767)}


def _arithmetic(function: Callable[[Array, Array], Array], fuses: bool = False) -> Evaluator:
    """Of int32 and int64, and of float32 that are numbers, without a fused activation."""

    def evaluator(node: Node, left: Array, right: Array) -> Array | None:
        dtype = node.output.dtype
        if dtype not in (*_INTEGERS, DType.FLOAT32) or not left.dtype == right.dtype == dtype.numpy:
            return None
        if fuses and node.options.int8("fused_activation_function"):
            return None
        value = _broadcast(function, node, left, right)
        return value if value is not None and np.isfinite(value).all() else None  # TFLM clamps infinities

    return evaluator


def _floor(function: Callable[[Array, Array], Array]) -> Evaluator:
    inner = _arithmetic(function)

    def evaluator(node: Node, left: Array, right: Array) -> Array | None:
        if node.output.dtype not in _INTEGERS or not np.all(right):
            return None
        return inner(node, left, right)

    return evaluator


def _comparison(function: Callable[[Array, Array], Array]) -> Evaluator:
    """Of plain numbers; quantized ones are brought to one scale first, which is left to the kernel."""

    def evaluator(node: Node, left: Array, right: Array) -> Array | None:
        if left.dtype != right.dtype or left.dtype not in (np.int32, np.int64, np.float32, np.bool_):
            return None
        return _broadcast(function, node, left, right)

    return evaluator


def _broadcast(
    function: Callable[[Array, Array], Array], node: Node, left: Array, right: Array
) -> Array | None:
    if np.broadcast_shapes(left.shape, right.shape) != node.output.shape:
        return None
    with np.errstate(all="ignore"):
        return np.asarray(function(left, right))


def _logical_not(node: Node, input: Array) -> Array | None:
    return np.logical_not(input) if input.dtype == np.bool_ else None


def _maximum(left: Array, right: Array) -> Array:
    """The second one of zeros with different signs."""
    return np.where(left > right, left, right)


def _minimum(left: Array, right: Array) -> Array:
    return np.where(left < right, left, right)


def _select(node: Node, condition: Array, left: Array, right: Array) -> Array | None:
    if condition.dtype != np.bool_ or left.dtype != right.dtype:
        return None
    if np.broadcast_shapes(condition.shape, left.shape, right.shape) != node.output.shape:
        return None
    return np.where(condition, left, right)


def _cast(node: Node, input: Array) -> Array | None:
    source, target = node.input("input").dtype, node.output.dtype
    if source in _INTEGERS and target in (*_INTEGERS, DType.INT8, DType.INT16, DType.FLOAT32):
        return input.astype(target.numpy)
    if source is DType.BOOL and target.supported:
        return input.astype(target.numpy)
    return None


def _dequantize(node: Node, input: Array) -> Array | None:
    """float(scale * (q - zero point)), product in double (reference_ops Dequantize); float16 is widened."""
    source = node.input("input")
    if source.dtype is DType.FLOAT16:
        return input.astype(np.float32)
    if source.quantization is None or source.quantization.per_channel:
        return None
    if source.dtype not in (DType.INT8, DType.INT16, DType.UINT8):
        return None
    centred = input.astype(np.int32) - source.zero_point
    return np.asarray(np.float64(source.scale) * centred, dtype=np.float32)


def _quantize(node: Node, input: Array) -> Array | None:
    """clamp(round(x / scale) + zero point), quotient in float32, halves away from zero (AffineQuantize)."""
    output = node.output
    if node.input("input").dtype is not DType.FLOAT32 or output.dtype not in _QUANTIZED:
        return None
    if output.quantization is None or output.quantization.per_channel:
        return None
    with np.errstate(all="ignore"):
        steps = (input / np.float32(output.scale)).astype(np.float64)
    if not (np.abs(steps) < 2**30).all():
        return None
    rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps)
    return np.asarray(np.clip(rounded + output.zero_point, *_QUANTIZED[output.dtype]))


SINGLE: dict[str, Evaluator] = {
    "ADD": _arithmetic(np.add, fuses=True),
    "CAST": _cast,
    "DEQUANTIZE": _dequantize,
    "EQUAL": _comparison(np.equal),
    "FLOOR_DIV": _floor(np.floor_divide),
    "FLOOR_MOD": _floor(np.mod),
    "GREATER": _comparison(np.greater),
    "GREATER_EQUAL": _comparison(np.greater_equal),
    "LESS": _comparison(np.less),
    "LESS_EQUAL": _comparison(np.less_equal),
    "LOGICAL_AND": _comparison(np.logical_and),
    "LOGICAL_NOT": _logical_not,
    "LOGICAL_OR": _comparison(np.logical_or),
    "MAXIMUM": _arithmetic(_maximum),
    "MINIMUM": _arithmetic(_minimum),
    "MUL": _arithmetic(np.multiply, fuses=True),
    "NOT_EQUAL": _comparison(np.not_equal),
    "QUANTIZE": _quantize,
    "SELECT_V2": _select,
    "SUB": _arithmetic(np.subtract, fuses=True),
}
"""What the outputs of operators by name are, of those with one output."""
