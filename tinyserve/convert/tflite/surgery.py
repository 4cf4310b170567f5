# SPDX-License-Identifier: Apache-2.0
"""Cuts a .tflite of one graph in two along its edges, and joins two again. Worker process only."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

from tinyserve.compiler.graph import objects


def split(data: bytes, front: Collection[int]) -> tuple[bytes, bytes]:
    """The operators numbered in ``front``, and the others, as models of their own.

    The front must not read what the others write. Its outputs are the tensors that the others read, in the
    order in which they are first read; those are the inputs of the second model.
    """
    model = objects.unpack(data)
    operators = model.subgraphs[0].operators
    first = [op for index, op in enumerate(operators) if index in front]
    second = [op for index, op in enumerate(operators) if index not in front]
    inputs = _edge(model, second)
    written = _written(second)
    outputs = [int(index) for index in model.subgraphs[0].outputs if int(index) in written]
    given = [int(index) for index in model.subgraphs[0].inputs]
    return _part(model, first, given, inputs), _part(model, second, inputs, outputs)


def join(data: bytes, front: Collection[int], network: bytes) -> bytes:
    """``data`` with the network that ``split`` cut off replaced by another that has its inputs and outputs,
    in other types perhaps: floats that it takes as integers go through a QUANTIZE."""
    model, added = objects.unpack(data), objects.unpack(network)
    graph, behind = model.subgraphs[0], added.subgraphs[0]
    second = [op for index, op in enumerate(graph.operators) if index not in front]
    edge, written = _edge(model, second), _written(second)
    graph.operators = [op for index, op in enumerate(graph.operators) if index in front]
    places = _append(model, added)
    for tensor, index in zip(edge, behind.inputs, strict=True):
        target = places[int(index)]
        if graph.tensors[tensor].type == graph.tensors[target].type:
            _read_instead(behind.operators, target, tensor)
        else:
            _quantize(model, graph, tensor, target)
    graph.operators += behind.operators
    made = iter([places[int(index)] for index in behind.outputs])
    _set_outputs(model, graph, [next(made) if int(i) in written else int(i) for i in graph.outputs])
    _drop_unread(model, graph)
    return objects.pack(model)


def prepended(front: bytes, network: bytes) -> bytes:
    """``network``, whose only input has the shape and type of the only output of ``front``, behind it; names
    of the outputs stay."""
    model, added = objects.unpack(front), objects.unpack(network)
    graph, behind = model.subgraphs[0], added.subgraphs[0]
    places = _put_behind(model, added)
    entry = int(graph.inputs[0])
    graph.outputs = [places[int(index)] for index in behind.outputs]
    model.signatureDefs = added.signatureDefs
    for signature in model.signatureDefs or ():
        for named in signature.outputs or ():
            named.tensorIndex = places[named.tensorIndex]
        for named in signature.inputs or ():
            named.name, named.tensorIndex = graph.tensors[entry].name, entry
    _drop_unread(model, graph)
    return objects.pack(model)


def appended(network: bytes, tail: bytes) -> bytes:
    """``tail``, whose only input is like the only output of ``network``, behind it. Its outputs come after
    the network's, under their own names."""
    model, added = objects.unpack(network), objects.unpack(tail)
    graph, behind = model.subgraphs[0], added.subgraphs[0]
    places = _put_behind(model, added)
    given = [places[int(index)] for index in behind.outputs]
    graph.outputs = [*map(int, graph.outputs), *given]
    for signature in model.signatureDefs or ():
        for named in added.signatureDefs[0].outputs:
            named.tensorIndex = places[named.tensorIndex]
            signature.outputs.append(named)
    _drop_unread(model, graph)
    return objects.pack(model)


def _put_behind(model: Any, added: Any) -> dict[int, int]:
    """Appends a model whose only input takes the model's only output. Returns the new numbers of its
    tensors."""
    graph, behind = model.subgraphs[0], added.subgraphs[0]
    places = _append(model, added)
    given, taken = int(graph.outputs[0]), int(behind.inputs[0])
    _read_instead(behind.operators, places[taken], given)
    graph.operators += behind.operators
    return places | {taken: given}


def _edge(model: Any, second: list[Any]) -> list[int]:
    """Tensors that ``second`` reads and neither writes nor has as constants."""
    written = _written(second)
    found: dict[int, None] = {}
    for operator in second:
        for index in map(int, operator.inputs):
            tensor = model.subgraphs[0].tensors[index] if index >= 0 else None
            if tensor is not None and index not in written and not objects.is_constant(model, tensor):
                found[index] = None
    return list(found)


def _written(operators: list[Any]) -> set[int]:
    return {int(index) for operator in operators for index in operator.outputs}


def _part(model: Any, operators: list[Any], inputs: list[int], outputs: list[int]) -> bytes:
    part = copy.deepcopy(model)
    graph = part.subgraphs[0]
    graph.operators, graph.inputs, graph.outputs = copy.deepcopy(operators), inputs, outputs
    part.signatureDefs = None
    _drop_unread(part, graph)
    return objects.pack(part)


def _append(model: Any, added: Any) -> dict[int, int]:
    """Puts the tensors, buffers and operator codes of ``added`` behind the model's own, and renumbers its
    operators. Returns the new numbers of its tensors."""
    graph, behind = model.subgraphs[0], added.subgraphs[0]
    tensors, buffers, codes = len(graph.tensors), len(model.buffers), len(model.operatorCodes)
    model.buffers += added.buffers
    model.operatorCodes += added.operatorCodes
    for tensor in behind.tensors:
        tensor.buffer += buffers
    graph.tensors += behind.tensors
    for operator in behind.operators:
        operator.opcodeIndex += codes
        operator.inputs = [int(i) + tensors if int(i) >= 0 else -1 for i in operator.inputs]
        operator.outputs = [int(i) + tensors for i in operator.outputs]
        within = operator.intermediates  # None, a list, or an array: which has no truth value
        operator.intermediates = [] if within is None else [int(i) + tensors for i in within]
    return {index: index + tensors for index in range(len(behind.tensors))}


def _quantize(model: Any, graph: Any, source: int, target: int) -> None:
    """``target`` gets the values of ``source`` in its own type, and a name of its own."""
    graph.tensors[target].name += b"_quantized"
    graph.operators.append(objects.operator(model, "QUANTIZE", [source], [target]))


def _read_instead(operators: list[Any], target: int, source: int) -> None:
    for operator in operators:
        operator.inputs = [source if int(index) == target else int(index) for index in operator.inputs]


def _set_outputs(model: Any, graph: Any, outputs: list[int]) -> None:
    moved = dict(zip(map(int, graph.outputs), outputs, strict=True))
    graph.outputs = outputs
    for signature in model.signatureDefs or ():
        for entry in signature.outputs or ():
            entry.tensorIndex = moved.get(entry.tensorIndex, entry.tensorIndex)


def _drop_unread(model: Any, graph: Any) -> None:
    used = {int(i) for op in graph.operators for i in (*op.inputs, *op.outputs)}
    used |= {int(i) for i in (*graph.inputs, *graph.outputs)}
    objects.drop_tensors(model, graph, {i for i in range(len(graph.tensors)) if i not in used})
    objects.drop_unused(model)
