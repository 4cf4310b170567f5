# SPDX-License-Identifier: Apache-2.0
"""One signature of a .tflite that has several, as a file of its own. Worker process only."""

from __future__ import annotations

from typing import Any

from tinyserve.compiler.graph import objects

_CALLS = (
    "thenSubgraphIndex", "elseSubgraphIndex", "condSubgraphIndex", "bodySubgraphIndex", "initSubgraphIndex",
)  # fmt: skip


def chosen(data: bytes, signature: str) -> bytes:
    """The file with the subgraph of ``signature`` first, and without those that it does not run."""
    model = objects.unpack(data)
    definition = next(d for d in model.signatureDefs if bytes(d.signatureKey).decode() == signature)
    order = _reached(model, int(definition.subgraphIndex))
    places = {old: new for new, old in enumerate(order)}
    model.subgraphs = [model.subgraphs[index] for index in order]
    for graph in model.subgraphs:
        for operator in graph.operators:
            for field in _CALLS:
                if hasattr(operator.builtinOptions, field):
                    called = int(getattr(operator.builtinOptions, field))
                    setattr(operator.builtinOptions, field, places[called])
    definition.subgraphIndex = 0
    model.signatureDefs = [definition]
    objects.drop_unused(model)
    return objects.pack(model)


def _reached(model: Any, first: int) -> list[int]:
    """Subgraphs that run when the first does, in the order in which they are found."""
    order = [first]
    for index in order:
        for operator in model.subgraphs[index].operators:
            called = [getattr(operator.builtinOptions, field, None) for field in _CALLS]
            order += [int(c) for c in dict.fromkeys(called) if c is not None and int(c) not in order]
    return order
