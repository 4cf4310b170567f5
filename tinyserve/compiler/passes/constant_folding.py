# SPDX-License-Identifier: Apache-2.0
"""Computes operators whose outputs are the same on every inference, and makes the outputs constants.

The chains SHAPE -> STRIDED_SLICE -> PACK -> RESHAPE that Keras exports for Flatten end up as a RESHAPE
with a constant shape. Values: ``passes/evaluate.py``.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import Graph, Model, Operator
from tinyserve.compiler.passes.evaluate import evaluate

NAME = "constant folding"


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators folded."""
    kept = [operator for operator in graph.operators if not _fold(operator)]
    folded = len(graph.operators) - len(kept)
    graph.operators = kept
    return folded


def _fold(operator: Operator) -> bool:
    values = evaluate(operator)
    if values is None:
        return False
    for output, value in zip(operator.outputs, values, strict=True):
        output.data = value
    return True
