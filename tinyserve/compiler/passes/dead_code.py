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
    for operator in reversed(graph.operators):
        if is_pure(operator) and not any(id(output) in needed for output in operator.outputs):
            continue
        kept.append(operator)
        needed.update(id(tensor) for tensor in operator.inputs if tensor is not None)
    removed = len(graph.operators) - len(kept)
    graph.operators = kept[::-1]
    refresh_tensors(graph)
    return removed
