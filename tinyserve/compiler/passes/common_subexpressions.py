# SPDX-License-Identifier: Apache-2.0
"""Computes once what the graph computes twice: equal operators with equal attributes on the same inputs."""

from __future__ import annotations

from collections.abc import Hashable

from tinyserve.compiler.graph.types import Graph, Model, Node, Tensor
from tinyserve.compiler.passes.edit import is_output, is_pure, replace_reads

NAME = "common subexpressions"


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators that another one replaces."""
    first: dict[Hashable, list[Node]] = {}
    replaced = 0
    for node in list(graph.nodes):
        key = _key(node)
        if key is None:
            continue
        twins = first.setdefault(key, [])
        twin = next((other for other in twins if _same_inputs(node, other)), None)
        if twin is None or any(is_output(graph, output) for output in node.outputs):
            twins.append(node)
            continue
        for output, computed in zip(node.outputs, twin.outputs, strict=True):
            replace_reads(graph, output, computed)
        graph.nodes.remove(node)
        replaced += 1
    return replaced


def _key(node: Node) -> Hashable | None:
    """What two equal operators share, None for operators that must not be merged.

    Attributes stand for the options: operators whose attributes were not parsed have none that matter.
    """
    if not is_pure(node) or node.intermediates:
        return None
    reads = tuple(None if tensor is None or tensor.is_constant else id(tensor) for tensor in node.inputs)
    if not any(reads):
        return None
    makes = tuple((output.shape, output.dtype, output.quantization) for output in node.outputs)
    key = (node.name, node.attributes, reads, makes)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _same_inputs(node: Node, other: Node) -> bool:
    return all(_same(left, right) for left, right in zip(node.inputs, other.inputs, strict=True))


def _same(left: Tensor | None, right: Tensor | None) -> bool:
    """Activations were compared by the key; constants are equal in type, value and quantization."""
    if left is right or left is None or right is None or left.data is None or right.data is None:
        return (left is None) == (right is None)
    return (left.shape, left.dtype, left.quantization) == (right.shape, right.dtype, right.quantization) and (
        left.data.tobytes() == right.data.tobytes()
    )
