# SPDX-License-Identifier: Apache-2.0
"""What of a node's features runs in every inference, though the node does not: what remembers a stream."""

from __future__ import annotations

from collections.abc import Iterable

from tinyserve.compiler.graph.types import Tensor
from tinyserve.pipeline.parts import Part, is_feature, remembers


def every_time(part: Part) -> list[int]:
    """Numbers of the operators that must see each sample, in order: those of its features that remember, and
    what they take."""
    nodes = part.model.main.nodes
    makers = {id(tensor): number for number, node in enumerate(nodes) for tensor in node.outputs}
    wanted: set[int] = set()
    waiting = [number for number, node in enumerate(nodes) if is_feature(node) and remembers(node)]
    while waiting:
        number = waiting.pop()
        if number not in wanted:
            wanted.add(number)
            waiting += [makers[id(one)] for one in nodes[number].operands() if id(one) in makers]
    return sorted(wanted)


def read_by(part: Part, operators: Iterable[int]) -> list[Tensor]:
    """The tensors that operators read, or that are outputs of the model, and that none of them writes:
    inputs of theirs, constants left out, in order."""
    nodes = [part.model.main.nodes[number] for number in operators]
    written = {id(tensor) for node in nodes for tensor in node.outputs}
    read = [tensor for node in nodes for tensor in node.operands()] + part.outputs
    found = {
        id(tensor): tensor
        for tensor in read
        if id(tensor) not in written and tensor.data is None and not tensor.is_variable
    }
    return list(found.values())
