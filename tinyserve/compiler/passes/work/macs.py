# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates of a model."""

from __future__ import annotations

from dataclasses import replace

from tinyserve.compiler import ops
from tinyserve.compiler.graph.types import Model, Node
from tinyserve.compiler.graph.validate import subgraphs_called
from tinyserve.compiler.passes.work.turns import turns

_MOST = 2**53 - 1  # of loops in loops: what JSON holds exactly


def macs(model: Model) -> int:
    """Multiply-accumulates of one inference. A loop counts as often as it turns, once where that depends on
    data (``open_loops`` names these); of two branches the larger one counts."""
    return _of_graph(model, 0, {})


def _of_graph(model: Model, number: int, known: dict[int, int]) -> int:
    if number not in known:
        known[number] = min(_MOST, sum(_of_node(model, node, known) for node in model.graphs[number].nodes))
    return known[number]


def _of_node(model: Model, node: Node, known: dict[int, int]) -> int:
    definition = ops.registry(()).get(node.name)
    if definition is None or definition.custom != node.custom:
        return 0
    blocks = [_of_graph(model, called, known) for called in subgraphs_called(node)]
    return definition.macs_of_blocks(node, blocks) if blocks else definition.macs(node)


def count_turns(model: Model) -> None:
    """Notes at each loop how often it turns."""
    for graph in model.graphs:
        for node in graph.nodes:
            if node.name == "WHILE" and not node.custom:
                node.attributes = replace(node.attributes, turns=turns(graph, node, model))


def open_loops(model: Model) -> tuple[str, ...]:
    """The loops with work in them whose number of turns depends on data: where they stand."""
    known: dict[int, int] = {}
    return tuple(
        node.location
        for graph in model.graphs
        for node in graph.nodes
        if node.name == "WHILE" and not node.custom and node.attributes.turns is None
        if _of_node(model, node, known)
    )
