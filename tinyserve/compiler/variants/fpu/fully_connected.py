# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED float32: 4 channels at a time in FPU registers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.linear.fully_connected import Matrix, matrix_of
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import lead_bytes, overlaps
from tinyserve.compiler.ops.support.records import FloatClamp, float_clamp
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, blocks, layers

REASON = "4 channels at a time in FPU registers, 16 weights per load"
_GROUP = 4
_ITEM = 4


@dataclass(frozen=True)
class Job(Params, c_type="ts_fpu_fully_connected"):
    """``quads`` of inputs and a ``tail`` of 0 to 3; ``last_channels`` of the last of the groups."""

    quads: int
    tail: int
    weights: Constant
    groups: int
    last_channels: int
    activation: FloatClamp


@dataclass(frozen=True)
class FpuFullyConnectedParams(Params, c_type="ts_fpu_fully_connected_f32_params"):
    job: Job
    matrix: Matrix


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for float32 layers with constant weights."""
    input, weights = node.input("input"), node.input("weights")
    if not layers.is_float(node):
        return []
    depth = weights.shape[1]
    groups = -(-weights.shape[0] // _GROUP) * (input.elements // depth)
    return [Candidate("fpu", groups * (9.0 * depth + 60), REASON, lambda: _lower(node, lowering))]


def _packed(node: Node) -> npt.NDArray[np.float32]:
    """[groups][taps, then bias][4 channels]; missing channels and biases are zeros."""
    weights = node.input("weights")
    assert weights.data is not None
    bias = biases.bias(node, len(weights.data), np.float32)
    return blocks.side_by_side(np.column_stack([weights.data, bias]), _GROUP)


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    channels, depth = weights.shape
    packed = _packed(node)
    job = Job(
        quads=depth // 4,
        tail=depth % 4,
        weights=lowering.constant(f"{weights.name}_packed", packed, "see kernels/fpu/fully_connected.S"),
        groups=len(packed),
        last_channels=channels - _GROUP * (len(packed) - 1),
        activation=float_clamp(node.attributes.activation),
    )
    params = FpuFullyConnectedParams(job, matrix_of(node))
    source, target = lowering.operand(input), lowering.buffer(output)
    add_call(
        node, lowering, "ts_fpu_fully_connected_f32", "fpu/fully_connected.h",
        params=params, inputs=[source], outputs=[target],
        overlaps=overlaps(source, target, _lead(input.elements // depth, depth, channels)),
        macs=output.elements * depth, sources=("fpu/fully_connected.S",), variant="fpu", reason=REASON,
    )  # fmt: skip


def _lead(batches: int, depth: int, channels: int) -> int:
    """Each group reads its whole row, then writes."""
    groups = -(-channels // _GROUP)
    rows = np.repeat(np.arange(batches, dtype=np.int64), groups)
    ends = np.minimum((np.arange(groups, dtype=np.int64) + 1) * _GROUP, channels)
    written = (np.arange(batches)[:, None] * channels + ends).reshape(-1)
    return lead_bytes(rows * (depth * _ITEM), written * _ITEM)
