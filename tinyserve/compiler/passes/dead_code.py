# SPDX-License-Identifier: Apache-2.0
"""Removes operators whose outputs nobody reads, and tensors that nobody touches."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Graph, Model
from tinyserve.compiler.passes.edit import is_pure, refresh_tensors

NAME = "dead code"


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators removed."""
    needed = {id(tensor) for tensor in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if is_pure(node) and not any(id(output) in needed for output in node.outputs):
            continue
        kept.append(node)
        needed.update(id(tensor) for tensor in node.inputs if tensor is not None)
    removed = len(graph.nodes) - len(kept)
    graph.nodes = kept[::-1]
    refresh_tensors(graph)
    return removed
