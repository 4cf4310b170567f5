# SPDX-License-Identifier: Apache-2.0
"""BATCH_MATMUL: products of matrices computed at run time. Kernels in ``kernels/batch_matmul.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.linear.conv_2d import MAX_TAPS, suffix
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.broadcast import element_strides
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import ratio, requantization
from tinyserve.compiler.ops.support.records import Factor
from tinyserve.compiler.program import Params

_BATCH_RANK = 3


@dataclass(frozen=True)
class BatchMatmulAttributes:
    """Whether the left and the right matrices are stored transposed."""

    adjoint_left: bool = False
    adjoint_right: bool = False


@dataclass(frozen=True)
class Batches(Params):
    """Strides of the dimensions before the matrices, and the matrices' sizes."""

    batch: tuple[int, ...]
    left_batch: tuple[int, ...]
    right_batch: tuple[int, ...]
    rows: int
    columns: int
    depth: int


@dataclass(frozen=True)
class ProductScaling(Params):
    """From products of int8 or int16 to the output."""

    left_offset: int
    right_offset: int
    output_offset: int
    factor: Factor


@dataclass(frozen=True)
class _Matrices(Params, c_type="ts_matmul"):
    batches: Batches
    left_row: int
    left_depth: int
    right_depth: int
    right_column: int


@dataclass(frozen=True)
class BatchMatmulQuantizedParams(Params, c_type="ts_batch_matmul_quantized_params"):
    matmul: _Matrices
    scaling: ProductScaling


@dataclass(frozen=True)
class BatchMatmulF32Params(Params, c_type="ts_batch_matmul_f32_params"):
    matmul: _Matrices


class BatchMatmul(OpDef):
    """Batch dimensions broadcast."""

    name = "BATCH_MATMUL"
    inputs = ("input1", "input2")
    types = (DType.INT8, DType.INT16, DType.FLOAT32)
    limits = "2 to 5 dimensions; both sides of one type; int16 with zero points of 0"

    def attributes(self, options: Options) -> BatchMatmulAttributes:
        return BatchMatmulAttributes(options.boolean("adj_x"), options.boolean("adj_y"))

    def check(self, node: Node) -> None:
        left, right, output = node.input("input1"), node.input("input2"), node.output
        checks.dtype(node, left, (DType.INT8, DType.INT16, DType.FLOAT32), "input")
        checks.same_dtype(node, left, right, output)
        if not all(2 <= len(tensor.shape) <= 2 + _BATCH_RANK for tensor in (left, right)):
            raise unsupported(node, "matrices of less than 2 or more than 5 dimensions", "reshape them")
        rows, depth = _matrix(left, node.attributes.adjoint_left)
        right_depth, columns = _matrix(right, node.attributes.adjoint_right)
        if depth != right_depth:
            raise checks.invalid(node, f"{rows}x{depth} times {right_depth}x{columns}")
        try:
            batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        except ValueError:
            raise checks.invalid(node, "batch dimensions do not broadcast") from None
        checks.shape(node, output, (*batch, rows, columns), "output")
        if left.dtype is not DType.FLOAT32:
            checks.per_tensor(node, left, right, output)
            _factor(node)
        if left.dtype is DType.INT16:
            checks.symmetric(node, left, right, output)
        if depth > MAX_TAPS // 2:
            raise unsupported(node, f"more than {MAX_TAPS // 2} products per output", "split the matrices")

    def macs(self, node: Node) -> int:
        return node.output.elements * _matrix(node.input("input1"), node.attributes.adjoint_left)[1]

    def lower(self, node: Node, lowering: Lowering) -> None:
        if lowering.lower_variant("batch_matmul", node):
            return
        left, right, output = node.input("input1"), node.input("input2"), node.output
        params: Params = BatchMatmulF32Params(_matrices(node))
        if left.dtype is not DType.FLOAT32:
            params = BatchMatmulQuantizedParams(_matrices(node), product_scaling(node))
        add_call(
            node,
            lowering,
            f"ts_batch_matmul_{suffix(left)}",
            "batch_matmul.h",
            params=params,
            inputs=[lowering.operand(left), lowering.operand(right)],
            outputs=[lowering.buffer(output)],
            macs=self.macs(node),
        )


@dataclass(frozen=True)
class Matrices:
    """[rows][depth] times [depth][columns], in each batch."""

    rows: int
    columns: int
    depth: int


def matrices(node: Node) -> Matrices:
    """What is multiplied, whichever way it is stored."""
    rows, depth = _matrix(node.input("input1"), node.attributes.adjoint_left)
    return Matrices(rows, node.output.shape[-1], depth)


def batches(node: Node) -> Batches:
    """Of all dimensions before the matrices."""
    left, right, output = node.input("input1"), node.input("input2"), node.output
    rows, depth = _matrix(left, node.attributes.adjoint_left)
    padding = (1,) * (_BATCH_RANK - len(output.shape) + 2)
    strides = _batch_strides(left, output), _batch_strides(right, output)
    return Batches(padding + output.shape[:-2], *strides, rows, output.shape[-1], depth)


def product_scaling(node: Node) -> ProductScaling:
    """Of quantized inputs."""
    left, right, output = node.input("input1"), node.input("input2"), node.output
    return ProductScaling(-left.zero_point, -right.zero_point, output.zero_point, Factor(*_factor(node)))


def _matrices(node: Node) -> _Matrices:
    found, attributes = batches(node), node.attributes
    return _Matrices(
        batches=found,
        left_row=1 if attributes.adjoint_left else found.depth,
        left_depth=found.rows if attributes.adjoint_left else 1,
        right_depth=1 if attributes.adjoint_right else found.columns,
        right_column=found.depth if attributes.adjoint_right else 1,
    )


def _matrix(tensor: Tensor, adjoint: bool) -> tuple[int, int]:
    """Rows and columns as they are multiplied."""
    rows, columns = tensor.shape[-2:]
    return (columns, rows) if adjoint else (rows, columns)


def _batch_strides(tensor: Tensor, output: Tensor) -> tuple[int, ...]:
    matrix = tensor.shape[-2] * tensor.shape[-1]
    strides = element_strides(tensor.shape[:-2], output.shape[:-2])
    padding = [0] * (_BATCH_RANK - len(strides))
    return tuple(padding + [stride * matrix for stride in strides])


def _factor(node: Node) -> tuple[int, int]:
    left, right, output = node.input("input1"), node.input("input2"), node.output
    return requantization(node, ratio(left.scale * right.scale, output.scale))


OPS = (BatchMatmul(),)
