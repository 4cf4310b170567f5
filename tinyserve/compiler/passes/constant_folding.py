# SPDX-License-Identifier: Apache-2.0
"""Computes operators whose outputs are the same on every inference, and makes the outputs constants.

The chains SHAPE -> STRIDED_SLICE -> PACK -> RESHAPE that Keras exports for Flatten end up as a RESHAPE
with a constant shape. Values: ``passes/evaluate.py``.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import Graph, Model, Node
from tinyserve.compiler.passes.evaluate import evaluate

NAME = "constant folding"


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators folded."""
    kept = [node for node in graph.nodes if not _fold(node)]
    folded = len(graph.nodes) - len(kept)
    graph.nodes = kept
    return folded


def _fold(node: Node) -> bool:
    values = evaluate(node)
    if values is None:
        return False
    for output, value in zip(node.outputs, values, strict=True):
        output.data = value
    return True
