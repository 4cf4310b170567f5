# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D: output channel o reads input channel o // multiplier alone."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.passes.channels.state import Mask, State, take
from tinyserve.compiler.passes.channels.weights import (
    foldable,
    has_plain_weights,
    known_outputs,
    reads_padding,
    shrink_bias,
)


class Depthwise:
    """An input channel and its output channels stay or go together."""

    def covers(self, node: Node) -> bool:
        return node.name == "DEPTHWISE_CONV_2D" and has_plain_weights(node)

    def learn(self, node: Node, state: State) -> None:
        source, weights = node.input("input"), node.input("weights")
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
        source, output = node.input("input"), node.output
        multiplier = _multiplier(node)
        state.demand(source, state.of(output).keep.reshape(-1, multiplier).any(axis=1))
        state.demand(output, np.repeat(state.of(source).keep, multiplier))

    def shrink(self, node: Node, state: State) -> None:
        keep: Mask = state.of(node.output).keep
        node.set_input("weights", take(node.input("weights"), 3, keep))
        shrink_bias(node, keep)


def _multiplier(node: Node) -> int:
    source, weights = node.input("input"), node.input("weights")
    return weights.shape[3] // source.shape[3]
