# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D: output channel o reads input channel o // multiplier alone."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Operator, Tensor
from tinyserve.compiler.passes.channels.state import Mask, State, take
from tinyserve.compiler.passes.channels.weights import (
    bias_of,
    foldable,
    has_plain_weights,
    known_outputs,
    reads_padding,
)


class Depthwise:
    """An input channel and its output channels stay or go together."""

    def covers(self, op: Operator) -> bool:
        return op.name == "DEPTHWISE_CONV_2D" and has_plain_weights(op)

    def learn(self, op: Operator, state: State) -> None:
        source, weights = _operands(op)
        assert weights.data is not None
        multiplier = _multiplier(op)
        inputs = state.of(source)
        folds = np.repeat(foldable(op, inputs, reads_padding(op)), multiplier)
        offsets = np.repeat(inputs.value - source.zero_point, multiplier)
        constant = folds | ~(weights.data != 0).any(axis=(0, 1, 2))
        sums = np.zeros(constant.size, np.int64)
        if (folds & (offsets != 0)).any():
            sums = np.where(folds, weights.data.astype(np.int64).sum(axis=(0, 1, 2)) * offsets, 0)
        state.learn(op.outputs[0], constant, known_outputs(op, constant, sums))

    def demand(self, op: Operator, state: State) -> None:
        source, output = _operands(op)[0], op.outputs[0]
        multiplier = _multiplier(op)
        state.demand(source, state.of(output).keep.reshape(-1, multiplier).any(axis=1))
        state.demand(output, np.repeat(state.of(source).keep, multiplier))

    def shrink(self, op: Operator, state: State) -> None:
        keep: Mask = state.of(op.outputs[0]).keep
        op.inputs[1] = take(_operands(op)[1], 3, keep)
        bias = bias_of(op)
        if bias is not None:
            op.inputs[2] = take(bias, bias.data.ndim - 1, keep)  # type: ignore[union-attr]


def _operands(op: Operator) -> tuple[Tensor, Tensor]:
    source, weights = op.inputs[0], op.inputs[1]
    assert source is not None and weights is not None
    return source, weights


def _multiplier(op: Operator) -> int:
    source, weights = _operands(op)
    return weights.shape[3] // source.shape[3]
