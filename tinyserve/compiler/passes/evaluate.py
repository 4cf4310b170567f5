# SPDX-License-Identifier: Apache-2.0
"""Values of operators whose inputs are constants, in numpy, with TFLM's semantics.

Shapes and moved data are here, arithmetic is in ``passes/evaluate_arithmetic.py``. Each function takes the
inputs' values by the operator's names for them (TFLM need not have the operator: its shapes' arithmetic is
folded away), and returns the outputs', or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.passes import evaluate_arithmetic, evaluate_decode
from tinyserve.compiler.passes.evaluate_arithmetic import Array, Evaluator

_SIZE_LIMIT = 1 << 24
_INTEGERS = (DType.INT32, DType.INT64)
_FREE_GROWTH = 4096  # bytes of flash that a folded FILL or BROADCAST_TO may cost


def evaluate(node: Node) -> list[Array] | None:
    """The outputs of an operator if they are the same on every inference, with their declared shapes."""
    if (node.custom and node.name != evaluate_decode.OPERATOR) or any(
        output.nbytes > _SIZE_LIMIT for output in node.outputs
    ):
        return None
    if node.name == "SHAPE":
        return _shape(node)
    if any(tensor is None or tensor.data is None for tensor in node.inputs):
        return None
    inputs = [tensor.data for tensor in node.inputs if tensor is not None and tensor.data is not None]
    if sum(array.nbytes for array in inputs) > _SIZE_LIMIT:
        return None
    try:
        values = _values(node, inputs)
    except (ArithmeticError, IndexError, TypeError, ValueError):
        return None  # contradictory shapes or indices: the operator's own check says what is wrong
    return _as_declared(node, values)


def _values(node: Node, inputs: list[Array]) -> list[Array] | None:
    if node.name in _SEVERAL:
        return _SEVERAL[node.name](node, *inputs)
    single = _SINGLE.get(node.name)
    value = None if single is None else single(node, *inputs)
    return None if value is None else [value]


def _as_declared(node: Node, values: list[Array] | None) -> list[Array] | None:
    """The values in the outputs' types and shapes, None where they do not have them."""
    if values is None or len(values) != len(node.outputs):
        return None
    for value, output in zip(values, node.outputs, strict=True):
        if value.shape != output.shape or output.is_variable:
            return None
    return [
        np.array(value, dtype=output.dtype.numpy, order="C")
        for value, output in zip(values, node.outputs, strict=True)
    ]


def _shape(node: Node) -> list[Array] | None:
    source = node.optional("input")
    if source is None:
        return None
    return _as_declared(node, [np.array(source.shape, dtype=np.int64)])


def _reshape(node: Node, input: Array, shape: Array | None = None) -> Array:
    return input.reshape(node.output.shape)


def _strided_slice(node: Node, input: Array, begin: Array, end: Array, strides: Array) -> Array | None:
    """Begin and end clamp as Python's slices do. Ellipsis and new axes are not in TFLM."""
    begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask = (
        node.options.int32(f"{what}_mask") for what in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    )
    if ellipsis_mask or new_axis_mask or not len(begin) == len(end) == len(strides) <= input.ndim:
        return None
    index: list[int | slice] = []
    for axis, (first, last, stride) in enumerate(
        zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)
    ):
        bit = 1 << axis
        if shrink_mask & bit:
            if begin_mask & bit:
                return None
            index.append(first)
        elif stride > 0:
            index.append(slice(None if begin_mask & bit else first, None if end_mask & bit else last, stride))
        else:
            return None
    return np.asarray(input[tuple(index)])


def _slice(node: Node, input: Array, begin: Array, size: Array) -> Array | None:
    if not len(begin) == len(size) == input.ndim:
        return None
    index = []
    for first, extent, limit in zip(begin.tolist(), size.tolist(), input.shape, strict=True):
        last = limit if extent == -1 else first + extent
        if not 0 <= first <= last <= limit:
            return None
        index.append(slice(first, last))
    return np.asarray(input[tuple(index)])


def _pack(node: Node, *inputs: Array) -> Array:
    return np.stack(inputs, axis=node.options.int32("axis"))


def _unpack(node: Node, input: Array) -> list[Array]:
    axis = node.options.int32("axis")
    return [np.take(input, index, axis=axis) for index in range(input.shape[axis])]


def _concatenation(node: Node, *inputs: Array) -> Array | None:
    if node.options.int8("fused_activation_function"):
        return None
    return np.concatenate(inputs, axis=node.options.int32("axis"))


def _gather(node: Node, input: Array, positions: Array) -> Array | None:
    axis, batch = node.options.int32("axis"), node.options.int32("batch_dims")
    axis += input.ndim if axis < 0 else 0
    if batch or not 0 <= axis < input.ndim or positions.size == 0:
        return None
    if positions.min() < 0 or positions.max() >= input.shape[axis]:
        return None
    if input.shape[:axis] + positions.shape + input.shape[axis + 1 :] != node.output.shape:
        return None
    return np.take(input, positions, axis=axis)


def _transpose(node: Node, input: Array, permutation: Array) -> Array:
    return np.transpose(input, tuple(permutation.tolist()))


def _split(node: Node, axis: Array, input: Array) -> list[Array]:
    return list(np.split(input, len(node.outputs), axis=int(axis.reshape(()))))


def _split_v(node: Node, input: Array, sizes: Array, axis: Array) -> list[Array]:
    along = int(axis.reshape(()))
    ends = np.cumsum([output.shape[along] for output in node.outputs])
    return list(np.split(input, ends[:-1], axis=along)) if ends[-1] == input.shape[along] else []


def _reverse(node: Node, input: Array, axes: Array) -> Array:
    return np.flip(input, tuple(axes.reshape(-1).tolist()))


def _gather_nd(node: Node, input: Array, positions: Array) -> Array | None:
    if positions.ndim == 0 or positions.shape[-1] > input.ndim or (positions < 0).any():
        return None
    return np.asarray(input[tuple(np.moveaxis(positions, -1, 0))])


def _pad(node: Node, input: Array, paddings: Array, value: Array | None = None) -> Array | None:
    """With the output's zero point, or the given value."""
    borders, output = paddings.tolist(), node.output
    extents = [extent + sum(amounts) for extent, amounts in zip(input.shape, borders, strict=True)]
    if tuple(extents) != output.shape or output.nbytes > max(2 * input.nbytes, _FREE_GROWTH):
        return None
    filling = output.zero_point if value is None else value.reshape(())
    return np.pad(input, borders, constant_values=filling)


def _fill(node: Node, shape: Array, value: Array) -> Array | None:
    output = node.output
    if tuple(shape.tolist()) != output.shape or output.nbytes > _FREE_GROWTH:
        return None
    return np.broadcast_to(value.reshape(()), output.shape)


def _broadcast_to(node: Node, input: Array, shape: Array) -> Array | None:
    output = node.output
    if tuple(shape.tolist()) != output.shape or output.nbytes > _FREE_GROWTH:
        return None
    return np.broadcast_to(input, output.shape)


def _broadcast_args(node: Node, shape1: Array, shape2: Array) -> Array:
    shape = np.broadcast_shapes(tuple(shape1.tolist()), tuple(shape2.tolist()))
    return np.array(shape, dtype=np.int64)


def _zeros_like(node: Node, input: Array) -> Array:
    return np.zeros_like(input)


def _reduce_prod(node: Node, input: Array, axes: Array) -> Array | None:
    """Products of shapes only: TFLM has no kernel, so nothing else is expected."""
    if node.output.dtype not in _INTEGERS:
        return None
    axis = tuple(np.atleast_1d(axes).tolist())
    return np.asarray(
        np.prod(input, axis=axis, keepdims=node.options.boolean("keep_dims"), dtype=input.dtype)
    )


_SINGLE: dict[str, Evaluator] = {
    **evaluate_arithmetic.SINGLE,
    "BROADCAST_ARGS": _broadcast_args,
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _reshape,
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad,
    "REDUCE_PROD": _reduce_prod,
    "RESHAPE": _reshape,
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SQUEEZE": _reshape,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
    "ZEROS_LIKE": _zeros_like,
}

_SEVERAL: dict[str, Callable[..., list[Array]]] = {
    evaluate_decode.OPERATOR: evaluate_decode.decode,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "UNPACK": _unpack,
}
