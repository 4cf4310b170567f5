# SPDX-License-Identifier: Apache-2.0
"""Dead-channel elimination: channels that are constant or that nobody needs are not computed.

Where all weights of an output channel are zero, the output is one constant. What reads it adds the same
number to every accumulator, which goes into its bias, exactly (accumulators are int32, and sums of int32 do
not depend on their order); at padded borders this holds only for the zero point. Where all weights that read
an input channel are zero, nobody needs it. Either way the channel is taken out of every tensor between, and
with it its weights. The rules per operator are in ``passes/channels``.
"""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph.types import Graph, Model
from tinyserve.compiler.passes.channels import rule_for
from tinyserve.compiler.passes.channels.state import State, channel_count
from tinyserve.compiler.passes.edit import refresh_tensors

NAME = "dead channels"
_MAX_CHANNELS = 1 << 22  # far above any microcontroller's model: bounds the memory that hostile shapes cost


def run(graph: Graph, model: Model) -> int:
    """Returns the number of channels removed, counted in every tensor that loses them."""
    if sum(channel_count(tensor) for tensor in graph.tensors) > _MAX_CHANNELS:
        return 0
    state = State(graph)
    for node in graph.nodes:
        rule_for(node).learn(node, state)
    _settle(graph, state)
    while _keep_one_channel(graph, state):
        _settle(graph, state)
    removed = sum(int((~state.of(output).keep).sum()) for node in graph.nodes for output in node.outputs)
    if removed:
        _shrink(graph, state)
    return removed


def _settle(graph: Graph, state: State) -> None:
    """Propagates demands, from the graph's ends backwards, until nothing new comes up."""
    for tensor in (*graph.inputs, *graph.outputs):
        state.demand(tensor)
    for tensor in graph.tensors:
        if tensor.is_constant or tensor.is_variable:
            state.demand(tensor)
    state.changed = True
    while state.changed:
        state.changed = False
        for node in reversed(graph.nodes):
            rule_for(node).demand(node, state)


def _keep_one_channel(graph: Graph, state: State) -> bool:
    """Tensors do not become empty: where nothing of one is needed, its first channel stays."""
    empty = [
        output
        for node in graph.nodes
        for output in node.outputs
        if output.elements and not state.of(output).keep.any()
    ]
    for tensor in empty:
        state.demand(tensor, np.arange(state.of(tensor).keep.size) == 0)
    return bool(empty)


def _shrink(graph: Graph, state: State) -> None:
    for node in graph.nodes:
        touched = [tensor for tensor in (*node.inputs, *node.outputs) if tensor is not None]
        if all(state.of(tensor).keep.all() for tensor in touched):
            continue
        rule_for(node).shrink(node, state)
    for node in graph.nodes:
        node.inputs = [None if tensor is None else state.shrunk(tensor) for tensor in node.inputs]
        node.outputs = [state.shrunk(tensor) for tensor in node.outputs]
    refresh_tensors(graph)
