# SPDX-License-Identifier: Apache-2.0
"""Merges chains of RESHAPE, SQUEEZE and EXPAND_DIMS, and chains of TRANSPOSE; a TRANSPOSE that moves no data
becomes a RESHAPE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyserve.compiler.graph.builtin_options import NO_OPTIONS
from tinyserve.compiler.graph.types import Graph, Model, Operator, Tensor
from tinyserve.compiler.passes.edit import producer, refresh_tensors

NAME = "reshapes"

_RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators that were rewritten. What nobody reads any more is dead code."""
    changes = 0
    for index, op in enumerate(graph.operators):
        if op.custom:
            continue
        if op.name in _RESHAPES:
            changes += _skip_reshape(graph, op)
        elif op.name == "TRANSPOSE" and _permutation(op) is not None:
            changes += _merge_transpose(graph, op)
            if _keeps_order(op):
                graph.operators[index] = _as_reshape(op)
                changes += 1
    if changes:
        refresh_tensors(graph)
    return changes


def _skip_reshape(graph: Graph, op: Operator) -> int:
    """The later of two reads the earlier one's input: only the last shape counts."""
    middle = op.inputs[0]
    earlier = None if middle is None else producer(graph, middle)
    if earlier is None or earlier.custom or earlier.name not in _RESHAPES:
        return 0
    op.inputs = [earlier.inputs[0], *op.inputs[1:]]
    return 1


def _merge_transpose(graph: Graph, op: Operator) -> int:
    middle, later = op.inputs[0], _permutation(op)
    previous = None if middle is None else producer(graph, middle)
    if previous is None or previous.custom or previous.name != "TRANSPOSE" or later is None:
        return 0
    earlier, stored = _permutation(previous), op.inputs[1]
    if earlier is None or stored is None or len(earlier) != len(later):
        return 0
    combined = np.array([earlier[axis] for axis in later], dtype=stored.dtype.numpy)
    op.inputs = [previous.inputs[0], replace(stored, index=-1, data=combined)]
    return 1


def _keeps_order(op: Operator) -> bool:
    """Axes of extent 1 may move as they like: the order of elements is that of the other axes."""
    source, permutation = op.inputs[0], _permutation(op)
    if source is None or permutation is None or sorted(permutation) != list(range(len(source.shape))):
        return False
    real = [axis for axis in permutation if source.shape[axis] != 1]
    return real == sorted(real)


def _as_reshape(op: Operator) -> Operator:
    return Operator(op.index, "RESHAPE", op.inputs[:1], op.outputs, NO_OPTIONS)


def _permutation(op: Operator) -> list[int] | None:
    """The axes counted from the front, None where they are no constant."""
    stored: Tensor | None = op.inputs[1] if len(op.inputs) > 1 else None
    if stored is None or stored.data is None:
        return None
    return [int(axis) % stored.elements for axis in stored.data.reshape(-1)]
