# SPDX-License-Identifier: Apache-2.0
"""Reshapes stand right behind what they reshape, and behind arithmetic of a value with itself. Worker process
only.

TensorFlow's quantizer goes over the operators in order. Where a value is an operand of CONCATENATION, and a
RESHAPE behind that reads it, too (the last step of a recurrent layer, a skip connection in front of Flatten),
it leaves the RESHAPE in float, and what reads its result. In front of the CONCATENATION it does not.

It also computes reshape(a) * reshape(b) as reshape(a * b) once a and b have a scale, if it is the same one (a
square, the parts of a SPLIT), gives the product that scale, and then refuses the whole model for it. In that
order from the start, the product has a scale of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyserve.compiler.graph import objects

_ARITHMETIC = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")


def in_front(data: bytes) -> bytes:
    """The .tflite with each RESHAPE to a known shape moved so."""
    model = objects.unpack(data)
    moved = [[_behind(model, graph), _reorder(model, graph)] for graph in model.subgraphs]
    return objects.pack(model) if any(map(any, moved)) else data


def _behind(model: Any, graph: Any) -> bool:
    """Whether there were reshapes to put behind what computes with two values of one operator."""
    makers = {int(index): operator for operator in graph.operators for index in operator.outputs}
    operators: list[Any] = []
    for operator in graph.operators:
        operators.append(operator)
        if objects.name_of(model, operator) not in _ARITHMETIC:
            continue
        reshapes = [makers.get(int(index)) for index in operator.inputs]
        while all(one is not None and _is_plain(model, graph, one) for one in reshapes):
            sources = [int(one.inputs[0]) for one in reshapes if one is not None]
            first, second = (graph.tensors[source] for source in sources)
            alike = sources[0] == sources[1] or makers.get(sources[0]) is makers.get(sources[1], operator)
            shapes = [_extents(graph.tensors[int(one.outputs[0])]) for one in reshapes if one is not None]
            if not alike or _extents(first) != _extents(second) or shapes[0] != shapes[1]:
                break
            operators.insert(operators.index(operator) + 1, _on_sources(model, graph, operator, sources))
            reshapes = [makers.get(source) for source in sources]
    changed = len(operators) > len(graph.operators)
    graph.operators = operators
    return changed


def _on_sources(model: Any, graph: Any, operator: Any, sources: list[int]) -> Any:
    """Makes the operator compute with these, and returns what gives its result the shape that it had."""
    written = int(operator.outputs[0])
    wanted = graph.tensors[written]
    name, extents = objects.text(wanted.name), np.array(_extents(wanted), np.int32)
    source = graph.tensors[sources[0]]
    inner = objects.tensor(graph, f"{name}/flat", source.shape, objects.dtype_of(wanted))
    shape = objects.constant(model, graph, f"{name}/shape", extents)
    operator.inputs, operator.outputs = sources, [inner]
    return objects.operator(model, "RESHAPE", [inner, shape], [written])


def _extents(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(extent) for extent in tensor.shape]


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
