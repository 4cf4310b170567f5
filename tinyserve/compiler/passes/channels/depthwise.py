# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D: output channel o reads input channel o // multiplier alone."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Node, Tensor
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

    def covers(self, node: Node) -> bool:
        return node.name == "DEPTHWISE_CONV_2D" and has_plain_weights(node)

    def learn(self, node: Node, state: State) -> None:
        source, weights = _operands(node)
        assert weights.data is not None
        multiplier = _multiplier(node)
        inputs = state.of(source)
        folds = np.repeat(foldable(node, inputs, reads_padding(node)), multiplier)
        offsets = np.repeat(inputs.value - source.zero_point, multiplier)
        constant = folds | ~(weights.data != 0).any(axis=(0, 1, 2))
        sums = np.zeros(constant.size, np.int64)
        if (folds & (offsets != 0)).any():
            sums = np.where(folds, weights.data.astype(np.int64).sum(axis=(0, 1, 2)) * offsets, 0)
        state.learn(node.output, constant, known_outputs(node, constant, sums))

    def demand(self, node: Node, state: State) -> None:
        source, output = _operands(node)[0], node.output
        multiplier = _multiplier(node)
        state.demand(source, state.of(output).keep.reshape(-1, multiplier).any(axis=1))
        state.demand(output, np.repeat(state.of(source).keep, multiplier))

    def shrink(self, node: Node, state: State) -> None:
        keep: Mask = state.of(node.output).keep
        node.inputs[1] = take(_operands(node)[1], 3, keep)
        bias = bias_of(node)
        if bias is not None:
            node.inputs[2] = take(bias, bias.data.ndim - 1, keep)  # type: ignore[union-attr]


def _operands(node: Node) -> tuple[Tensor, Tensor]:
    source, weights = node.inputs[0], node.inputs[1]
    assert source is not None and weights is not None
    return source, weights


def _multiplier(node: Node) -> int:
    source, weights = _operands(node)
    return weights.shape[3] // source.shape[3]
