# SPDX-License-Identifier: Apache-2.0
"""How often a WHILE turns, where that does not depend on data: its counters are followed from turn to turn.

Only what the condition reads is computed, and of that only what comes from constants.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from tinyserve.compiler.graph.types import Graph, Model, Node, Tensor
from tinyserve.compiler.graph.validate import subgraphs_called
from tinyserve.compiler.passes.evaluate import evaluate

MOST_TURNS = 10_000
"""Loops that turn more often are not followed to their end: their turns count as unknown."""

Array = npt.NDArray[Any]


def turns(graph: Graph, node: Node, model: Model) -> int | None:
    """How often the body of the WHILE ``node`` of ``graph`` runs in each inference; None where that depends
    on data, or on operators that are not evaluated."""
    condition_graph, body_graph = (model.graphs[number] for number in subgraphs_called(node))
    condition = _Part(condition_graph, condition_graph.outputs[:1])
    places = _counters(condition, body_graph)
    known_everywhere = min(len(node.inputs), len(condition_graph.inputs), len(body_graph.outputs))
    if places and places[-1] >= known_everywhere:
        return None  # contradictory subgraphs: lowering says so
    starts = [node.inputs[place] for place in places]
    body = _Part(body_graph, [body_graph.outputs[place] for place in places])
    values = _Part(graph, [tensor for tensor in starts if tensor is not None]).values({})
    for turn in range(MOST_TURNS):
        if len(values) != len(places) or any(value is None for value in values):
            return None
        again = condition.values(_given(condition_graph, places, values))
        if not again or again[0] is None or again[0].size != 1:
            return None
        if not again[0].reshape(-1)[0]:
            return turn
        values = body.values(_given(body_graph, places, values))
    return None


def _counters(condition: _Part, body: Graph) -> list[int]:
    """Which of the loop's values decide whether it goes on: those that the condition reads, and what the body
    computes those from."""
    places = _inputs(condition)
    while True:
        outputs = [body.outputs[place] for place in sorted(places) if place < len(body.outputs)]
        more = _inputs(_Part(body, outputs))
        if more <= places:
            return sorted(places)
        places |= more


def _inputs(part: _Part) -> set[int]:
    return {place for place, tensor in enumerate(part.graph.inputs) if tensor in part.reads}


def _given(graph: Graph, places: Collection[int], values: list[Array | None]) -> dict[Tensor, Array | None]:
    return {graph.inputs[place]: value for place, value in zip(places, values, strict=True)}


class _Part:
    """The operators of a graph that ``wanted`` comes from, in order, and the tensors that they read."""

    def __init__(self, graph: Graph, wanted: list[Tensor]) -> None:
        self.graph = graph
        self.wanted = wanted
        self.reads: set[Tensor] = set(wanted)
        self.nodes: list[Node] = []
        for node in reversed(graph.nodes):
            if not self.reads.isdisjoint(node.outputs):
                self.nodes.append(node)
                self.reads.update(node.operands())
        self.nodes.reverse()

    def values(self, given: Mapping[Tensor, Array | None]) -> list[Array | None]:
        """What the wanted tensors are, with ``given`` for the graph's inputs; None where it is not known."""
        known = dict(given)
        for node in self.nodes:
            inputs = [known.get(tensor, tensor.data) for tensor in node.operands()]
            if any(value is None for value in inputs):
                continue
            constant = [
                replace(tensor, data=value) for tensor, value in zip(node.operands(), inputs, strict=True)
            ]
            results = evaluate(replace(node, inputs=list(constant)))
            if results is not None:
                known.update(zip(node.outputs, results, strict=True))
        return [known.get(tensor, tensor.data) for tensor in self.wanted]
