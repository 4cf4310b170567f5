# SPDX-License-Identifier: Apache-2.0
"""What is known of each tensor's channels, and the replacements made from that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Graph, Node, Tensor

Mask = npt.NDArray[np.bool_]
Int64Array = npt.NDArray[np.int64]


@dataclass(eq=False)
class Channels:
    """One entry per channel: is it needed, is its value known, and which value is it (quantized)."""

    keep: Mask
    known: Mask
    value: Int64Array


class State:
    """Channels of all activations of one graph. ``changed`` says that ``demand`` found something new."""

    def __init__(self, graph: Graph) -> None:
        self.changed = False
        self._channels = {id(tensor): _nothing_known(tensor) for tensor in graph.tensors}
        self._shrunk: dict[int, Tensor] = {}

    def of(self, tensor: Tensor) -> Channels:
        return self._channels[id(tensor)]

    def demand(self, tensor: Tensor, needed: Mask | np.bool_ | bool = True) -> None:
        """Adds to the channels that must be kept."""
        channels = self.of(tensor)
        if np.any(needed & ~channels.keep):
            channels.keep |= needed
            self.changed = True

    def learn(self, tensor: Tensor, known: Mask, value: Int64Array) -> None:
        """Says which channels hold one value at every position, on every inference."""
        channels = self.of(tensor)
        channels.known, channels.value = known, np.where(known, value, 0)

    def shrunk(self, tensor: Tensor) -> Tensor:
        """The activation without the channels that go; itself where all stay."""
        if id(tensor) not in self._channels or self.of(tensor).keep.all():
            return tensor
        keep = self.of(tensor).keep
        if id(tensor) not in self._shrunk:
            shape = (*tensor.shape[:-1], int(keep.sum()))
            self._shrunk[id(tensor)] = replace(tensor, index=-1, shape=shape)
        return self._shrunk[id(tensor)]


class Rule(Protocol):
    """How channels flow through some operators."""

    def covers(self, node: Node) -> bool: ...

    def learn(self, node: Node, state: State) -> None:
        """Tells the state which output channels hold known values."""
        ...

    def demand(self, node: Node, state: State) -> None:
        """Demands the input channels that the kept outputs need, and what must go along with them."""
        ...

    def shrink(self, node: Node, state: State) -> None:
        """Changes constants and options for the channels that go. The tensors are replaced afterwards."""
        ...


class Pinned:
    """Operators without a rule keep all channels of all that they touch."""

    def covers(self, node: Node) -> bool:
        return True

    def learn(self, node: Node, state: State) -> None:
        return

    def demand(self, node: Node, state: State) -> None:
        for tensor in (*node.inputs, *node.outputs, *node.intermediates):
            if tensor is not None:
                state.demand(tensor)

    def shrink(self, node: Node, state: State) -> None:
        return


def channel_count(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def take(tensor: Tensor, axis: int, keep: Mask) -> Tensor:
    """A constant with only the kept slices along ``axis``, its quantization too."""
    assert tensor.data is not None
    data: npt.NDArray[Any] = np.ascontiguousarray(np.compress(keep, tensor.data, axis=axis))
    quantization = tensor.quantization
    if quantization is not None and quantization.per_channel and quantization.axis == axis:
        chosen = np.flatnonzero(keep).tolist()
        quantization = replace(
            quantization,
            scales=tuple(quantization.scales[i] for i in chosen),
            zero_points=tuple(quantization.zero_points[i] for i in chosen),
        )
    return replace(tensor, index=-1, data=data, shape=data.shape, quantization=quantization)


def _nothing_known(tensor: Tensor) -> Channels:
    count = channel_count(tensor)
    return Channels(np.zeros(count, np.bool_), np.zeros(count, np.bool_), np.zeros(count, np.int64))
