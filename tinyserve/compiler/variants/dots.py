# SPDX-License-Identifier: Apache-2.0
"""Layers whose work is dot products of several rows of int8 with one vector.

Kernels in ``kernels/by_dots``, which each instruction set's headers make kernels of with its own
``<feature>/dots.S``. Weights stay as they are in the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear import fully_connected as fully_connected_op
from tinyserve.compiler.ops.linear.batch_matmul import (
    Batches,
    ProductScaling,
    batches,
    matrices,
    product_scaling,
)
from tinyserve.compiler.ops.recurrent import svdf as svdf_op
from tinyserve.compiler.ops.recurrent import unidirectional_sequence_lstm as lstm_op
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.program import Buffer, Constant, Operand, Overlap, Params
from tinyserve.compiler.variants import Candidate

_INT32 = 1 << 31
_TRANSPOSING = {"mve": 1.2}
_TRANSPOSING_BYTES = 4.5
"""Instructions per element of a matrix that is turned at run time, by vectors or by bytes."""
_PASS = 40.0
"""Of the products of one row, beside."""


@dataclass(frozen=True)
class _SvdfByDots(Params):
    svdf: svdf_op.SvdfParams
    feature_bias: Constant


class SvdfS8ByDotsParams(_SvdfByDots, c_type="ts_svdf_s8_by_dots_params"):
    """int8 state."""


class SvdfS16ByDotsParams(_SvdfByDots, c_type="ts_svdf_s16_by_dots_params"):
    """int16 state."""


@dataclass(frozen=True)
class BatchMatmulByDotsParams(Params, c_type="ts_batch_matmul_by_dots_params"):
    """``transpose``: whether the kernel turns the right matrices. ``ones``: a vector, for sums of rows."""

    batches: Batches
    transpose: int
    ones: Constant
    scaling: ProductScaling


@dataclass(frozen=True)
class Dots:
    """An instruction set's dot products: instructions per product (of four rows, of one), per row, and per
    result of a matrix product, which are scaled with one factor."""

    feature: str
    per_product: float
    per_product_alone: float
    per_row: float
    per_result: float
    reason: str

    @property
    def variant(self) -> str:
        return f"{self.feature}-dots"

    def cost(self, rows: int, depth: int) -> float:
        """Instructions of one vector's products with ``rows``, scaled results included."""
        return self.products(rows, depth) + self.per_row * rows

    def products(self, rows: int, depth: int) -> float:
        """Instructions of one vector's products with ``rows`` alone."""
        alone = rows % 4 * (self.per_product_alone - self.per_product)
        return (self.per_product * rows + alone) * depth

    def candidate(self, cost: float, lower: Callable[[], None]) -> Candidate:
        return Candidate(self.variant, cost, self.reason, lower)

    def add(
        self,
        node: Node,
        lowering: Lowering,
        kernel: tuple[str, str],
        *,
        params: Params,
        inputs: list[Operand],
        scratch: list[Buffer | None],
        macs: int,
        permitted: list[Overlap],
    ) -> None:
        """Appends the call of ``kernel``: a function, and its header in the feature's directory."""
        function, header = kernel
        add_call(
            node,
            lowering,
            function,
            f"{self.feature}/{header}",
            params=params,
            inputs=inputs,
            outputs=[lowering.buffer(node.output)],
            scratch=scratch,
            macs=macs,
            overlaps=permitted,
            variant=self.variant,
            reason=self.reason,
            sources=(f"{self.feature}/dots.S",),
        )


DSP = Dots("dsp", 1.6, 2.6, 48.0, 27.0, "SMLAD on four taps x 4 rows")
THUMB1 = Dots("thumb1", 3.6, 4.6, 95.0, 90.0, "four rows share each input")
MVE = Dots("mve", 0.2, 0.35, 45.0, 14.0, "VMLADAV on 16 taps x 4 rows")


def fully_connected(node: Node, lowering: Lowering, dots: Dots) -> list[Candidate]:
    """One candidate: int8, or int16 activations whose sums of products fit in 32 bits."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if weights.dtype is not DType.INT8 or input.dtype not in (DType.INT8, DType.INT16):
        return []
    if input.dtype is DType.INT16 and not _fits(np.asarray(weights.data)):
        return []
    batches = output.elements // weights.shape[0]
    cost = batches * dots.cost(*weights.shape)
    return [dots.candidate(cost, lambda: _lower_fully_connected(node, lowering, dots))]


def _fits(weights: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> bool:
    """Whether no sum over a row of ``weights`` times int16 exceeds 32 bits."""
    rows = weights.reshape(weights.shape[0], -1).astype(np.int64)
    return bool(np.abs(rows).sum(axis=1).max(initial=0) * (1 << 15) < _INT32)


def _lower_fully_connected(node: Node, lowering: Lowering, dots: Dots) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    channels, depth = weights.shape
    kind = "s8" if input.dtype is DType.INT8 else "s16"
    params = fully_connected_op.integer_params(node, lowering)
    if isinstance(params, fully_connected_op.FullyConnectedS8Params):
        assert weights.data is not None
        folded = biases.folded_bias(node, weights.data)
        bias = lowering.constant(f"{weights.name}_bias", folded, "with the input's zero point")
        params = replace(params, layer=replace(params.layer, bias=bias))
    source, target = lowering.operand(input), lowering.buffer(output)
    permitted = overlaps(source, target, fully_connected_op.row_lead(depth, channels, input, output))
    dots.add(
        node, lowering, (f"ts_{dots.feature}_fully_connected_dots_{kind}", "fully_connected_dots.h"),
        params=params, inputs=[source], scratch=[], macs=output.elements * depth, permitted=permitted,
    )  # fmt: skip


def lstm(node: Node, lowering: Lowering, dots: Dots, short_bits: int = 0) -> list[Candidate]:
    """One candidate for integers whose sums fit. ``short_bits``: of int8 sums, shifted to the left, for which
    there is another kernel, ``<feature>_short``."""
    input, output = node.input("input"), node.output
    weights = lstm_op.gate_weights(node)
    if input.dtype is DType.FLOAT32 or not all(tensor.is_constant for tensor in weights):
        return []
    matrices = [np.asarray(tensor.data) for tensor in weights if len(tensor.shape) == 2]
    if input.dtype is DType.INT16 and not all(map(_fits, matrices)):
        return []
    short = False
    if input.dtype is DType.INT8:
        plain = lstm_op.integer_params(node, lowering)
        largest = _largest_sum(plain)
        if largest >= 1 << 30 or not _shrinks(plain.scaling):
            return []
        short = short_bits > 0 and largest < 1 << short_bits
    name = f"{dots.feature}_short" if short else dots.feature
    cost = sum(dots.cost(*matrix.shape) for matrix in matrices) * output.elements / output.shape[2]
    return [dots.candidate(cost, lambda: _lower_lstm(node, lowering, dots, name))]


def _largest_sum(params: lstm_op.LstmParams) -> int:
    """What no sum of a gate, shifted to the left, exceeds: see ``kernels/dsp/scaled.h``."""
    largest = 0
    for gate in params.gates:
        sides = (
            (gate.input_weights, gate.input_bias, gate.input_factor.shift),
            (gate.recurrent_weights, gate.recurrent_bias, gate.recurrent_factor.shift),
        )
        for weights, bias, shift in sides:
            assert weights is not None and bias is not None
            rows = np.abs(weights.values.reshape(bias.values.size, -1).astype(np.int64)).sum(axis=1)
            bound = int((128 * rows + np.abs(bias.values.astype(np.int64))).max(initial=0))
            largest = max(largest, bound << max(shift, 0))
    return largest


def _shrinks(scaling: lstm_op.LstmScaling) -> bool:
    """Whether no product of a cell is shifted to the left."""
    return (
        max(factor.shift for factor in (scaling.forget_factor, scaling.update_factor, scaling.hidden_factor))
        <= 0
    )


def _lower_lstm(node: Node, lowering: Lowering, dots: Dots, name: str) -> None:
    input, output = node.input("input"), node.output
    kind = "s8" if input.dtype is DType.INT8 else "s16"
    dots.add(
        node, lowering,
        (f"ts_{name}_unidirectional_sequence_lstm_{kind}", "unidirectional_sequence_lstm.h"),
        params=lstm_op.integer_params(node, lowering),
        inputs=[lowering.operand(input)],
        scratch=[lowering.buffer(state) for state in lstm_op.states(node)],
        macs=4 * output.elements * (input.shape[2] + output.shape[2]), permitted=[],
    )  # fmt: skip


def svdf(node: Node, lowering: Lowering, dots: Dots) -> list[Candidate]:
    """One candidate for integers with constant weights."""
    input, features, times = node.input("input"), node.input("feature_weights"), node.input("time_weights")
    operands = (features, times, node.optional("bias"))
    if input.dtype is DType.FLOAT32 or not all(one is not None and one.is_constant for one in operands):
        return []
    cost = input.shape[0] * (dots.cost(*features.shape) + dots.cost(*times.shape))
    return [dots.candidate(cost, lambda: _lower_svdf(node, lowering, dots))]


def _lower_svdf(node: Node, lowering: Lowering, dots: Dots) -> None:
    input, features, times = node.input("input"), node.input("feature_weights"), node.input("time_weights")
    kind = "s16" if times.dtype is DType.INT16 else "s8"
    sums = np.asarray(features.data).astype(np.int64).sum(axis=1)
    bias = (-input.zero_point * sums).astype(np.int32)
    plain = svdf_op.integer_params(node, lowering)
    feature_bias = lowering.constant(f"{features.name}_bias", bias, "of the input's zero point")
    record = SvdfS16ByDotsParams if kind == "s16" else SvdfS8ByDotsParams
    dots.add(
        node, lowering, (f"ts_{dots.feature}_svdf_{kind}", "svdf.h"),
        params=record(plain, feature_bias), inputs=[lowering.operand(input)],
        scratch=[lowering.buffer(node.input("state"))],
        macs=input.shape[0] * (features.elements + times.elements), permitted=[],
    )  # fmt: skip


def batch_matmul(node: Node, lowering: Lowering, dots: Dots) -> list[Candidate]:
    """One candidate for int8 whose left matrices lie in rows."""
    left, right, output = node.input("input1"), node.input("input2"), node.output
    shape = matrices(node)
    if left.dtype is not DType.INT8 or node.attributes.adjoint_left or not _products_scale(node):
        return []
    count = output.elements // (shape.rows * shape.columns)
    at_run_time = not node.attributes.adjoint_right and not right.is_constant
    rate = _TRANSPOSING.get(dots.feature, _TRANSPOSING_BYTES)
    extra = rate * shape.columns * shape.depth if at_run_time else 0.0
    passes = shape.rows + int(left.zero_point != 0)  # one for the sums of columns
    products = passes * (dots.products(shape.columns, shape.depth) + _PASS)
    cost = count * (products + dots.per_result * shape.rows * shape.columns + extra)
    return [dots.candidate(cost, lambda: _lower_batch_matmul(node, lowering, dots))]


def _products_scale(node: Node) -> bool:
    """Whether sums, shifted to the left, stay below 2^30: see ``kernels/dsp/scaled.h``."""
    shift = product_scaling(node).factor.shift
    return matrices(node).depth * (1 << 16) << max(shift, 0) < 1 << 30


def _right_rows(node: Node, lowering: Lowering) -> Operand:
    """The right matrices, of which a constant is transposed here and now."""
    right, shape = node.input("input2"), matrices(node)
    if right.data is None or node.attributes.adjoint_right:
        return lowering.operand(right)
    columns = right.data.reshape(-1, shape.depth, shape.columns).swapaxes(1, 2)
    return lowering.constant(f"{right.name}_transposed", np.ascontiguousarray(columns).reshape(-1))


def _lower_batch_matmul(node: Node, lowering: Lowering, dots: Dots) -> None:
    left, right, output = node.input("input1"), node.input("input2"), node.output
    shape, transpose = matrices(node), not node.attributes.adjoint_right and not right.is_constant
    ones = lowering.constant(f"ones_{shape.depth}", np.ones(shape.depth, np.int8), "for sums of rows")
    params = BatchMatmulByDotsParams(batches(node), int(transpose), ones, product_scaling(node))
    sums = transposed = None
    if left.zero_point:
        size = f"TS_MATMUL_SUMS_BYTES({shape.columns})"
        sums = lowering.scratch(f"{output.name}_sums", 4 * shape.columns, size=size)
    if transpose:
        size = f"TS_MATMUL_TRANSPOSED_BYTES({shape.columns}, {shape.depth})"
        transposed = lowering.scratch(f"{output.name}_transposed", shape.columns * shape.depth, size=size)
    dots.add(
        node, lowering, (f"ts_{dots.feature}_batch_matmul_s8", "batch_matmul.h"),
        params=params,
        inputs=[lowering.operand(left), _right_rows(node, lowering)], scratch=[sums, transposed],
        macs=output.elements * shape.depth, permitted=[],
    )  # fmt: skip
