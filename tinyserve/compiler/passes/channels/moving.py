# SPDX-License-Identifier: Apache-2.0
"""Operators that treat channels alike: elementwise ones, pools, and those that only move data."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.passes.channels.state import Mask, State, channel_count, take
from tinyserve.compiler.passes.channels.values import after

_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
_BINARY = frozenset({"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU"})
_UNARY = frozenset(
    {
        "ABS", "CAST", "CEIL", "COS", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LEAKY_RELU", "LOG",
        "LOGISTIC", "NEG", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE", "TANH",
    }
)  # fmt: skip
_FLATTENING = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


class Elementwise:
    """A channel of the output depends on the same channel of the inputs alone: all stay or go together.

    Constant operands with one value per channel lose their slices; those that are broadcast along the
    channels do not matter.
    """

    def covers(self, node: Node) -> bool:
        if node.name in ("MEAN", "PAD", "PADV2"):
            return _leaves_channels_alone(node)
        return node.name in _POOLS or node.name in _BINARY or node.name in _UNARY

    def learn(self, node: Node, state: State) -> None:
        if node.name not in _BINARY:
            state.learn(node.output, *after(node, state.of(node.input("input"))))

    def demand(self, node: Node, state: State) -> None:
        output = node.output
        count = channel_count(output)
        for tensor in node.inputs:
            if tensor is None or tensor.is_constant:
                continue
            if channel_count(tensor) == count:
                state.demand(tensor, state.of(output).keep)
                state.demand(output, state.of(tensor).keep)
            else:
                state.demand(tensor)
        for tensor in node.inputs:  # what the second operand demanded of the output, the first must follow
            if tensor is not None and not tensor.is_constant and channel_count(tensor) == count:
                state.demand(tensor, state.of(output).keep)

    def shrink(self, node: Node, state: State) -> None:
        if node.name not in _BINARY:
            return
        keep = state.of(node.output).keep
        for name in node.signature.inputs:
            tensor = node.input(name)
            if tensor.is_constant and channel_count(tensor) == keep.size > 1:
                node.set_input(name, take(tensor, len(tensor.shape) - 1, keep))


class Flatten:
    """RESHAPE and the like where the last axis stays, or takes up whole runs of the old one (flattening)."""

    def covers(self, node: Node) -> bool:
        if node.name not in _FLATTENING:
            return False
        source, output = node.input("input"), node.output
        if not source.shape or not output.shape:
            return False
        return source.elements > 0 and output.shape[-1] % source.shape[-1] == 0

    def learn(self, node: Node, state: State) -> None:
        source, output = node.input("input"), node.output
        channels = state.of(source)
        repeats = channel_count(output) // channel_count(source)
        state.learn(output, np.tile(channels.known, repeats), np.tile(channels.value, repeats))

    def demand(self, node: Node, state: State) -> None:
        source, output = node.input("input"), node.output
        count = channel_count(source)
        state.demand(source, state.of(output).keep.reshape(-1, count).any(axis=0))
        state.demand(output, np.tile(state.of(source).keep, channel_count(output) // count))

    def shrink(self, node: Node, state: State) -> None:
        if node.name == "RESHAPE":
            node.set_input("shape", None)  # the new one stands in the output alone


class Concatenation:
    """Along the channels the parts' channels follow each other; along another axis it is elementwise."""

    def covers(self, node: Node) -> bool:
        if node.name != "CONCATENATION" or not node.output.shape:
            return False
        return not any(tensor is None or tensor.is_constant for tensor in node.inputs)

    def learn(self, node: Node, state: State) -> None:
        """Values are copied as they are. Along another axis they would have to be equal: not tried."""
        output, parts = node.output, [state.of(tensor) for tensor, _ in _parts(node)]
        if not _along_channels(node):
            return
        known = np.concatenate([part.known for part in parts])
        state.learn(output, known, np.concatenate([part.value for part in parts]))

    def demand(self, node: Node, state: State) -> None:
        output = node.output
        for tensor, part in _parts(node):
            spread: Mask = np.zeros(channel_count(output), np.bool_)
            spread[part] = state.of(tensor).keep
            state.demand(output, spread)
        for tensor, part in _parts(node):
            state.demand(tensor, state.of(output).keep[part])

    def shrink(self, node: Node, state: State) -> None:
        return


def _along_channels(node: Node) -> bool:
    return node.attributes.axis in (-1, len(node.output.shape) - 1)


def _parts(node: Node) -> list[tuple[Tensor, slice]]:
    """Each input with the output channels that are its own."""
    parts, start = [], 0
    for tensor in node.inputs:
        assert tensor is not None
        end = start + channel_count(tensor)
        parts.append((tensor, slice(start, end)))
        start = end if _along_channels(node) else 0
    return parts


def _leaves_channels_alone(node: Node) -> bool:
    """MEAN over other axes than the last, PAD without padding of the last, both known when compiling."""
    source, *arguments = node.operands()
    argument = node.input("axis" if node.name == "MEAN" else "paddings")
    if argument.data is None or not source.shape or not all(tensor.is_constant for tensor in arguments):
        return False
    if node.name == "MEAN":
        axes = {int(axis) % len(source.shape) for axis in argument.data.reshape(-1)}
        return len(source.shape) - 1 not in axes
    return not argument.data.reshape(-1, 2)[-1].any()
