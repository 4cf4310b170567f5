# SPDX-License-Identifier: Apache-2.0
"""Reshapes stand right behind what they reshape. Worker process only.

TensorFlow's quantizer goes over the operators in order. Where a value is an operand of CONCATENATION, and a
RESHAPE behind that reads it, too (the last step of a recurrent layer, a skip connection in front of Flatten),
it leaves the RESHAPE in float, and what reads its result. In front of the CONCATENATION it does not.
"""

from __future__ import annotations

from typing import Any

from tinyserve.compiler.graph import objects


def in_front(data: bytes) -> bytes:
    """The .tflite with each RESHAPE to a known shape moved so."""
    model = objects.unpack(data)
    moved = [_reorder(model, graph) for graph in model.subgraphs]
    return objects.pack(model) if any(moved) else data


def _reorder(model: Any, graph: Any) -> bool:
    waiting: dict[int, list[Any]] = {}
    others = []
    for operator in graph.operators:
        if _is_plain(model, graph, operator):
            waiting.setdefault(int(operator.inputs[0]), []).append(operator)
        else:
            others.append(operator)
    made = {int(index) for operator in graph.operators for index in operator.outputs}
    placed: list[Any] = []
    for source in [source for source in waiting if source not in made]:  # inputs and constants
        _place(waiting.pop(source), waiting, placed)
    for operator in others:
        _place([operator], waiting, placed)
    changed = any(a is not b for a, b in zip(placed, graph.operators, strict=True))
    graph.operators = placed
    return changed


def _place(operators: list[Any], waiting: dict[int, list[Any]], placed: list[Any]) -> None:
    """These, each with the reshapes of its results behind it."""
    left = operators[::-1]
    while left:
        operator = left.pop()
        placed.append(operator)
        for output in operator.outputs:
            left.extend(waiting.pop(int(output), [])[::-1])


def _is_plain(model: Any, graph: Any, operator: Any) -> bool:
    if not objects.is_operator(model, operator, "RESHAPE"):
        return False
    return all(
        model.buffers[graph.tensors[int(index)].buffer].data is not None for index in operator.inputs[1:]
    )
