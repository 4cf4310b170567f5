# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV as convolutions: an output's row and column, by the strides, say which taps reach it.

Outputs whose rows have the same remainder (a phase) are one convolution of the input, with the phases along
columns as further output channels and taps of weight 0 where the filter's width is no multiple of the stride.
What it gives are the output's rows, but for their order and their ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.linear.conv_2d import Conv2DAttributes
from tinyserve.compiler.ops.linear.transpose_conv import as_convolution, transposed_padding
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.strided_copy import Walk, add_copy
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.composed import parts

VARIANT = "convolutions"


@dataclass(frozen=True)
class _Span:
    """Along one axis: which outputs of a convolution are wanted, and its padding.

    Output ``j`` of the convolution with ``taps`` reads inputs j - taps + 1 to j, counted as in the input.
    """

    taps: int
    first: int
    count: int
    inputs: int

    @property
    def before(self) -> int:
        """Padding before the input."""
        return max(0, self.taps - 1 - self.first)

    @property
    def skipped(self) -> int:
        """Outputs before the first that is wanted."""
        return max(0, self.first - (self.taps - 1))

    @property
    def after(self) -> int:
        wanted = self.skipped + self.count
        return max(0, wanted - 1 + self.taps - self.before - self.inputs)

    @property
    def outputs(self) -> int:
        return self.before + self.inputs + self.after - self.taps + 1


@dataclass(frozen=True)
class _Phase:
    """Rows ``first``, ``first`` + stride and so on of the output, as a convolution."""

    first: int
    rows: _Span
    columns: _Span
    convolution: Node
    candidate: Candidate


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 where the core has a kernel for every phase."""
    view = as_convolution(node)
    if not parts.is_int8(view) or min(node.output.shape) < 1:
        return []
    phases = _phases(node, view, lowering)
    if phases is None:
        return []
    output = node.output
    cost = sum(phase.candidate.cost for phase in phases)
    if not _is_direct(node, phases):
        cost += parts.copy_cost(output.shape[0] * output.shape[1], output.nbytes)
    return [Candidate(VARIANT, cost, parts.REASON, lambda: _lower(node, lowering, phases))]


def _phases(node: Node, view: Node, lowering: Lowering) -> list[_Phase] | None:
    stride, height = node.attributes.stride_height, node.output.shape[1]
    found = []
    for first in range(min(stride, height)):
        rows, columns, convolution = _convolution(node, view, first)
        candidate = parts.cheapest("conv_2d", convolution, lowering)
        if candidate is None:
            return None
        found.append(_Phase(first, rows, columns, convolution, candidate))
    return found


def _convolution(node: Node, view: Node, first: int) -> tuple[_Span, _Span, Node]:
    """The convolution of the phase that begins with output row ``first``."""
    input, weights, output = view.input("input"), view.input("weights"), node.output
    strides = (node.attributes.stride_height, node.attributes.stride_width)
    top, left = transposed_padding(node, 1) + first, transposed_padding(node, 2)
    taps = max(1, -(-(weights.shape[1] - top % strides[0]) // strides[0]))
    rows = _Span(taps, top // strides[0], len(range(first, output.shape[1], strides[0])), input.shape[1])
    last = (left + output.shape[2] - 1) // strides[1]
    start = left // strides[1]
    columns = _Span(-(-weights.shape[2] // strides[1]), start, last - start + 1, input.shape[2])
    channels = np.tile(np.arange(output.shape[3], dtype=np.int64), strides[1])
    data = _phase_weights(weights, top % strides[0], strides, (rows.taps, columns.taps))
    name = f"{output.name}_phase{first}"
    shape = (input.shape[0], rows.outputs, columns.outputs, len(channels))
    attributes = Conv2DAttributes(
        activation=node.attributes.activation,
        pad_top=rows.before, pad_bottom=rows.after, pad_left=columns.before, pad_right=columns.after,
    )  # fmt: skip
    inputs: list[Tensor | None] = [
        input,
        parts.weights_like(weights, f"{name}_weights", data, 0, channels),
        parts.bias_like(view.optional("bias"), f"{name}_bias", channels),
    ]
    return (
        rows,
        columns,
        parts.part(view, "CONV_2D", inputs, parts.activation_like(output, name, shape), attributes),
    )


def _phase_weights(
    weights: Tensor, row: int, strides: tuple[int, int], taps: tuple[int, int]
) -> npt.NDArray[np.int8]:
    """[stride x channels][taps][taps][input channels]: every stride-th tap from ``row`` on, last to first."""
    assert weights.data is not None
    channels, _, _, depth = weights.shape
    found = np.zeros((strides[1], channels, *taps, depth), dtype=np.int8)
    for column in range(strides[1]):
        phase = weights.data[:, row :: strides[0], column :: strides[1]][:, ::-1, ::-1]
        height, width = phase.shape[1:3]
        found[column, :, taps[0] - height :, taps[1] - width :] = phase
    return found.reshape(-1, *taps, depth)


def _is_direct(node: Node, phases: list[_Phase]) -> bool:
    """Whether the only phase gives the output's bytes as they are. In a band they have a place already."""
    (only, *others) = phases
    if node.attributes.top is not None:
        return False
    given = only.convolution.outputs[0]
    return not others and given.elements == node.output.elements and transposed_padding(node, 2) == 0


def _lower(node: Node, lowering: Lowering, phases: list[_Phase]) -> None:
    for phase in phases:
        phase.candidate.lower()
    if _is_direct(node, phases):
        lowering.alias(node.output, phases[0].convolution.outputs[0])
        return
    for phase in phases:
        _copy(node, lowering, phase)


def _copy(node: Node, lowering: Lowering, phase: _Phase) -> None:
    """The phase's rows to their places."""
    output, given = node.output, phase.convolution.outputs[0]
    stride, channels = node.attributes.stride_width, output.shape[3]
    line, given_line = output.shape[2] * channels, given.shape[2] * given.shape[3]
    begin = (phase.columns.skipped * stride + transposed_padding(node, 2) % stride) * channels
    source = Walk(phase.rows.skipped * given_line + begin, (given.shape[1] * given_line, given_line, 1))
    target = Walk(phase.first * line, (output.shape[1] * line, node.attributes.stride_height * line, 1))
    shape = (output.shape[0], phase.rows.count, line)
    add_copy(node, lowering, given, output, shape=shape, source=source, target=target)
