# SPDX-License-Identifier: Apache-2.0
"""Layers whose work is dot products of several rows of int8 with one vector.

Kernels in ``kernels/by_dots``, which each instruction set's headers make kernels of with its own
``<feature>/dots.S``. Weights stay as they are in the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.batch_matmul import matrices, matrix_params
from tinyserve.compiler.ops.linear.conv_2d import convolution_params, narrow_sums
from tinyserve.compiler.ops.linear.fully_connected import row_lead
from tinyserve.compiler.ops.recurrent.svdf import integer_params
from tinyserve.compiler.ops.recurrent.unidirectional_sequence_lstm import gate_weights, lstm_params, states
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import fully_connected_requantization
from tinyserve.compiler.program import Buffer, Constant, Operand, Overlap, ParamValue
from tinyserve.compiler.variants import Candidate, layers

_INT32 = 1 << 31


@dataclass(frozen=True)
class Dots:
    """An instruction set's dot products: instructions per product (of four rows, of one) and per row."""

    feature: str
    per_product: float
    per_product_alone: float
    per_row: float
    reason: str

    @property
    def variant(self) -> str:
        return f"{self.feature}-dots"

    def cost(self, rows: int, depth: int) -> float:
        """Instructions of one vector's products with ``rows``, scaled results included."""
        alone = rows % 4 * (self.per_product_alone - self.per_product)
        return (self.per_product * rows + alone) * depth + self.per_row * rows

    def candidate(self, cost: float, lower: Callable[[], None]) -> Candidate:
        return Candidate(self.variant, cost, self.reason, lower)

    def add(
        self,
        node: Node,
        lowering: Lowering,
        kernel: tuple[str, str],
        *,
        params: dict[str, ParamValue],
        params_type: str,
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
            params_type=params_type,
            inputs=inputs,
            outputs=[lowering.buffer(node.output)],
            scratch=scratch,
            macs=macs,
            overlaps=permitted,
            variant=self.variant,
            reason=self.reason,
            sources=(f"{self.feature}/dots.S",),
        )


DSP = Dots("dsp", 1.6, 2.6, 40.0, "SMLAD on four taps x 4 rows")
THUMB1 = Dots("thumb1", 3.6, 4.6, 80.0, "four rows share each input")
MVE = Dots("mve", 0.2, 0.35, 30.0, "VMLADAV on 16 taps x 4 rows")


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
    factors = fully_connected_requantization(node, input, weights, output)
    params: dict[str, ParamValue] = {
        "batches": input.elements // depth,
        "depth": depth,
        "channels": channels,
        **convolution_params(node, lowering, node.attributes.activation, factors),
        **narrow_sums(node),
        "weights_offset": 0,
    }
    kind = "s8" if input.dtype is DType.INT8 else "s16"
    if kind == "s8":
        assert weights.data is not None
        bias = layers.folded_bias(node, weights.data)
        params["bias"] = lowering.constant(f"{weights.name}_bias", bias, "with the input's zero point")
    source, target = lowering.operand(input), lowering.buffer(output)
    permitted = overlaps(source, target, row_lead(depth, channels, input, output))
    dots.add(
        node, lowering, (f"ts_fully_connected_{dots.feature}_dots_{kind}", "fully_connected_dots.h"),
        params=params, params_type=f"ts_fully_connected_{kind}_params", inputs=[source], scratch=[],
        macs=output.elements * depth, permitted=permitted,
    )  # fmt: skip


def lstm(node: Node, lowering: Lowering, dots: Dots) -> list[Candidate]:
    """One candidate for integers whose sums fit."""
    input, output = node.input("input"), node.output
    weights = gate_weights(node)
    if input.dtype is DType.FLOAT32 or not all(tensor.is_constant for tensor in weights):
        return []
    matrices = [np.asarray(tensor.data) for tensor in weights if len(tensor.shape) == 2]
    if input.dtype is DType.INT16 and not all(map(_fits, matrices)):
        return []
    if input.dtype is DType.INT8 and not _scales_in_32_bits(lstm_params(node, lowering)):
        return []
    cost = sum(dots.cost(*matrix.shape) for matrix in matrices) * output.elements / output.shape[2]
    return [dots.candidate(cost, lambda: _lower_lstm(node, lowering, dots))]


def _scales_in_32_bits(params: dict[str, ParamValue]) -> bool:
    """Whether sums and products, shifted to the left, stay below 2^30: see ``kernels/dsp/scaled.h``."""
    for gate in range(4):
        for side in ("input", "recurrent"):
            weights, bias, shift = (
                params[f"gates[{gate}].{side}_{field}"] for field in ("weights", "bias", "shift")
            )
            assert isinstance(weights, Constant) and isinstance(bias, Constant) and isinstance(shift, int)
            rows = np.abs(weights.values.reshape(bias.values.size, -1).astype(np.int64)).sum(axis=1)
            bound = int((128 * rows + np.abs(bias.values.astype(np.int64))).max(initial=0))
            if bound << max(shift, 0) >= 1 << 30:
                return False
    shifts = [params[f"{what}_shift"] for what in ("forget", "update", "hidden")]
    return all(isinstance(shift, int) and shift <= 0 for shift in shifts)


def _lower_lstm(node: Node, lowering: Lowering, dots: Dots) -> None:
    input, output = node.input("input"), node.output
    kind = "s8" if input.dtype is DType.INT8 else "s16"
    dots.add(
        node, lowering,
        (f"ts_unidirectional_sequence_lstm_{dots.feature}_{kind}", "unidirectional_sequence_lstm.h"),
        params=lstm_params(node, lowering),
        params_type=f"ts_unidirectional_sequence_lstm_{kind}_params",
        inputs=[lowering.operand(input)],
        scratch=[lowering.buffer(state) for state in states(node)],
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
    params = {f"svdf.{field}": value for field, value in integer_params(node, lowering).items()}
    params["feature_bias"] = lowering.constant(f"{features.name}_bias", bias, "of the input's zero point")
    dots.add(
        node, lowering, (f"ts_svdf_{dots.feature}_{kind}", "svdf.h"),
        params=params, params_type=f"ts_svdf_{kind}_by_dots_params", inputs=[lowering.operand(input)],
        scratch=[lowering.buffer(node.input("state"))],
        macs=input.shape[0] * (features.elements + times.elements), permitted=[],
    )  # fmt: skip


def batch_matmul(node: Node, lowering: Lowering, dots: Dots) -> list[Candidate]:
    """One candidate for int8 whose left matrices lie in rows, where transposing the right ones pays."""
    left, right, output = node.input("input1"), node.input("input2"), node.output
    shape = matrices(node)
    if left.dtype is not DType.INT8 or node.attributes.adjoint_left or not _products_scale(node):
        return []
    batches = output.elements // (shape.rows * shape.columns)
    at_run_time = not node.attributes.adjoint_right and not right.is_constant
    transposing = 6.0 * shape.columns * shape.depth if at_run_time else 0.0
    if transposing and shape.rows < 3:
        return []
    cost = batches * ((shape.rows + 1) * dots.cost(shape.columns, shape.depth) + transposing)
    return [dots.candidate(cost, lambda: _lower_batch_matmul(node, lowering, dots))]


def _products_scale(node: Node) -> bool:
    """Whether sums, shifted to the left, stay below 2^30: see ``kernels/dsp/scaled.h``."""
    shift = matrix_params(node)["shift"]
    assert isinstance(shift, int)
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
    common = matrix_params(node)
    kept = ("batch", "left_batch", "right_batch", "rows", "columns", "depth")
    scaling = ("left_offset", "right_offset", "output_offset", "multiplier", "shift")
    params: dict[str, ParamValue] = {
        **{field: common[field] for field in kept},
        "transpose": int(transpose),
        "ones": ones,
        **{field: common[field] for field in scaling},
    }
    sums = lowering.scratch(f"{output.name}_sums", 4 * shape.columns) if left.zero_point else None
    transposed = (
        lowering.scratch(f"{output.name}_transposed", shape.columns * shape.depth) if transpose else None
    )
    dots.add(
        node, lowering, (f"ts_batch_matmul_{dots.feature}_s8", "batch_matmul.h"),
        params=params, params_type="ts_batch_matmul_by_dots_params",
        inputs=[lowering.operand(left), _right_rows(node, lowering)], scratch=[sums, transposed],
        macs=output.elements * shape.depth, permitted=[],
    )  # fmt: skip
