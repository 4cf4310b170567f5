# SPDX-License-Identifier: Apache-2.0
"""Merges chains of RESHAPE, SQUEEZE and EXPAND_DIMS, and chains of TRANSPOSE; a TRANSPOSE that moves no data
becomes a RESHAPE. A reduction of an image of one row whose row was taken away reads the image, so that it can
take its columns in as they are made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyserve.compiler.graph.builtin_options import NO_OPTIONS
from tinyserve.compiler.graph.types import Graph, Model, Node
from tinyserve.compiler.ops.movement.reshape import Reshape
from tinyserve.compiler.passes.edit import producer, refresh_tensors

NAME = "reshapes"

_RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


_REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"})


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators that were rewritten. What nobody reads any more is dead code."""
    changes = 0
    for index, node in enumerate(graph.nodes):
        if node.custom:
            continue
        if node.name in _RESHAPES:
            changes += _skip_reshape(graph, node)
        elif node.name in _REDUCTIONS:
            changes += _reduce_image(graph, node)
        elif node.name == "TRANSPOSE" and _permutation(node) is not None:
            changes += _merge_transpose(graph, node)
            if _keeps_order(node):
                graph.nodes[index] = _as_reshape(node)
                changes += 1
    if changes:
        refresh_tensors(graph)
    return changes


def _skip_reshape(graph: Graph, node: Node) -> int:
    """The later of two reads the earlier one's input: only the last shape counts."""
    earlier = producer(graph, node.input("input"))
    if earlier is None or earlier.custom or earlier.name not in _RESHAPES:
        return 0
    node.set_input("input", earlier.input("input"))
    return 1


def _reduce_image(graph: Graph, node: Node) -> int:
    """From [1][columns][channels] to [1][1][columns][channels]."""
    earlier, axes = producer(graph, node.input("input")), node.input("axis")
    if earlier is None or earlier.custom or earlier.name not in _RESHAPES or axes.data is None:
        return 0
    image, shape = earlier.input("input"), node.input("input").shape
    if repr(image.quantization) != repr(node.input("input").quantization):
        return 0  # TFLM's RESHAPE copies codes, which mean what its output's scale says
    if image.is_constant or len(shape) != 3 or image.shape != (1, *shape) or shape[0] != 1:
        return 0
    moved = np.where(np.asarray(axes.data) % 3 == 0, 0, np.asarray(axes.data) % 3 + 1)
    node.set_input("input", image)
    node.set_input("axis", replace(axes, index=-1, data=moved.astype(axes.dtype.numpy)))
    return 1


def _merge_transpose(graph: Graph, node: Node) -> int:
    previous, later = producer(graph, node.input("input")), _permutation(node)
    if previous is None or previous.custom or previous.name != "TRANSPOSE" or later is None:
        return 0
    earlier, stored = _permutation(previous), node.input("permutation")
    if earlier is None or len(earlier) != len(later):
        return 0
    combined = np.array([earlier[axis] for axis in later], dtype=stored.dtype.numpy)
    node.set_input("input", previous.input("input"))
    node.set_input("permutation", replace(stored, index=-1, data=combined))
    return 1


def _keeps_order(node: Node) -> bool:
    """Axes of extent 1 may move as they like: the order of elements is that of the other axes."""
    source, permutation = node.input("input"), _permutation(node)
    if permutation is None or sorted(permutation) != list(range(len(source.shape))):
        return False
    real = [axis for axis in permutation if source.shape[axis] != 1]
    return real == sorted(real)


def _as_reshape(node: Node) -> Node:
    source = node.input("input")
    return Node(node.index, "RESHAPE", [source], node.outputs, NO_OPTIONS, signature=Reshape().signature)


def _permutation(node: Node) -> list[int] | None:
    """The axes counted from the front, None where they are no constant."""
    stored = node.input("permutation")
    if stored.data is None:
        return None
    return [int(axis) % stored.elements for axis in stored.data.reshape(-1)]
