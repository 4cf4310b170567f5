# SPDX-License-Identifier: Apache-2.0
"""CONV_2D and FULLY_CONNECTED: every output channel may read every input channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.passes.channels.state import Int64Array, Mask, State, take
from tinyserve.compiler.passes.channels.weights import (
    add_to_bias,
    foldable,
    has_plain_weights,
    known_outputs,
    reads_padding,
    shrink_bias,
)


class Mixing:
    """An input channel is needed where a kept output has a weight for it that is not zero.

    Not so if it adds the same at every position: then that goes into the bias.
    """

    def covers(self, node: Node) -> bool:
        if node.name not in ("CONV_2D", "FULLY_CONNECTED") or not has_plain_weights(node):
            return False
        source, weights = node.input("input"), node.input("weights")
        if node.name == "CONV_2D":
            return weights.shape[3] == source.shape[3]
        return bool(source.shape) and weights.shape[1] % source.shape[-1] == 0

    def learn(self, node: Node, state: State) -> None:
        filters, source = _filters(node), node.input("input")
        inputs = state.of(source)
        folds = foldable(node, inputs, _padded(node))
        constant: Mask = np.asarray(~(_reads(filters) & ~folds).any(axis=1))
        offsets = np.where(folds, inputs.value - source.zero_point, 0)
        state.learn(node.output, constant, known_outputs(node, constant, _sums(filters, offsets)))

    def demand(self, node: Node, state: State) -> None:
        source, weights = node.input("input"), node.input("weights")
        outputs = state.of(node.output).keep
        per_channel = weights.quantization is not None and weights.quantization.per_channel
        if node.name == "FULLY_CONNECTED" and per_channel and outputs.sum() == 1:
            # A single scale would be taken for per-tensor quantization, whose multiplier is another.
            state.demand(node.output, np.arange(outputs.size) == (1 if outputs[0] else 0))
        folds = foldable(node, state.of(source), _padded(node))
        state.demand(source, (_reads(_filters(node)) & outputs[:, None]).any(axis=0) & ~folds)

    def shrink(self, node: Node, state: State) -> None:
        source, weights = node.input("input"), node.input("weights")
        inputs, outputs = state.of(source), state.of(node.output).keep
        gone = ~inputs.keep & inputs.known
        sums = _sums(_filters(node), np.where(gone, inputs.value - source.zero_point, 0))
        if node.name == "CONV_2D":
            columns = inputs.keep
        else:
            columns = np.tile(inputs.keep, weights.shape[1] // inputs.keep.size)
        node.set_input("weights", take(take(weights, 0, outputs), len(weights.shape) - 1, columns))
        shrink_bias(node, outputs)
        add_to_bias(node, sums[outputs])


def _filters(node: Node) -> npt.NDArray[np.generic]:
    """Weights as [output channel][tap][input channel]."""
    source, weights = node.input("input"), node.input("weights")
    assert weights.data is not None
    return weights.data.reshape(weights.shape[0], -1, source.shape[-1])


def _reads(filters: npt.NDArray[np.generic]) -> Mask:
    """[output channel][input channel]: is there a weight that is not zero."""
    return np.asarray((filters != 0).any(axis=1))


def _sums(filters: npt.NDArray[np.generic], offsets: Int64Array) -> Int64Array:
    """What inputs that are ``offsets`` above the zero point add to each accumulator."""
    if not offsets.any():
        return np.zeros(filters.shape[0], np.int64)
    return np.asarray(filters.astype(np.int64).sum(axis=1) @ offsets)


def _padded(node: Node) -> bool:
    return node.name == "CONV_2D" and reads_padding(node)
