# SPDX-License-Identifier: Apache-2.0
"""Features that several nodes have in common, computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from tinyserve.compiler.graph.transplant import Transplant
from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.pipeline.parts import Part, is_feature

Key = tuple[Any, ...]


class Shared:
    """Operators of features in the main graph, by what they compute. Two that take the same values and have
    the same options give the same values, those that remember, too: both begin with nothing."""

    def __init__(self) -> None:
        self._known: dict[Key, list[int]] = {}

    def put(
        self,
        grown: Transplant,
        writer: GraphWriter,
        part: Part,
        operators: Sequence[int],
        places: dict[int, int],
    ) -> None:
        """Puts operators into the main graph, those that are there already left out."""
        for number in operators:
            node = part.model.main.nodes[number]
            key = _key(node, places) if is_feature(node) else None
            found = self._known.get(key) if key is not None else None
            if found is not None:
                places.update(zip((one.index for one in node.outputs), found, strict=True))
                continue
            grown.put(writer, [number], places)
            if key is not None:
                self._known[key] = [places[one.index] for one in node.outputs]

    def with_known(self, part: Part, wanted: Sequence[int], inputs: dict[int, int]) -> list[int]:
        """``wanted``, and all operators of the part that are in the main graph already: they cost nothing.
        ``inputs``: tensors of the main graph that stand for the model's inputs as they are."""
        places, found = dict(inputs), []
        for number, node in enumerate(part.model.main.nodes):
            key = _key(node, places) if is_feature(node) else None
            known = self._known.get(key) if key is not None else None
            if known is not None:
                places.update(zip((one.index for one in node.outputs), known, strict=True))
                found.append(number)
        return sorted({*wanted, *found})


def _key(node: Node, places: dict[int, int]) -> Key | None:
    """What an operator computes; None where that is not known."""
    inputs = []
    for tensor in node.operands():
        if tensor.is_variable:
            return None
        if tensor.data is None and tensor.index not in places:
            return None
        inputs.append(_constant(tensor) if tensor.data is not None else places[tensor.index])
    outputs = tuple((tensor.shape, tensor.dtype.value) for tensor in node.outputs)
    options = (node.options.custom, repr(node.attributes))
    return (node.name, options, tuple(inputs), outputs)


def _constant(tensor: Tensor) -> Key:
    assert tensor.data is not None
    return (tensor.shape, tensor.dtype.value, hashlib.sha256(tensor.data.tobytes()).hexdigest())
