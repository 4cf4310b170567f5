# SPDX-License-Identifier: Apache-2.0
"""Small, safe edits of a graph that passes are made of."""

from __future__ import annotations

from collections.abc import Iterable

from tinyserve.compiler.graph.types import Graph, Model, Operator, Tensor

_STATEFUL = frozenset(
    {
        "ASSIGN_VARIABLE", "CALL_ONCE", "IF", "READ_VARIABLE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "WHILE",
    }
)  # fmt: skip

_TABLE = "TinyserveLookupTable"


def is_pure(operator: Operator) -> bool:
    """Whether the outputs depend on nothing but the inputs, and nothing else happens."""
    if operator.name in _STATEFUL or (operator.custom and operator.name != _TABLE):
        return False
    return not any(tensor is not None and tensor.is_variable for tensor in operator.inputs)


def consumers(graph: Graph, tensor: Tensor) -> list[Operator]:
    """Operators that read ``tensor``, each once, in order."""
    return [op for op in graph.operators if any(read is tensor for read in op.inputs)]


def producer(graph: Graph, tensor: Tensor) -> Operator | None:
    """The operator that writes ``tensor``, None for inputs, constants and variables."""
    for operator in graph.operators:
        if any(written is tensor for written in operator.outputs):
            return operator
    return None


def is_output(graph: Graph, tensor: Tensor) -> bool:
    return any(output is tensor for output in graph.outputs)


def is_input(graph: Graph, tensor: Tensor) -> bool:
    return any(given is tensor for given in graph.inputs)


def only_reader(graph: Graph, tensor: Tensor) -> Operator | None:
    """The one operator that reads ``tensor``, None where there are more or the graph returns it."""
    readers = consumers(graph, tensor)
    return readers[0] if len(readers) == 1 and not is_output(graph, tensor) else None


def replace_reads(graph: Graph, old: Tensor, new: Tensor) -> None:
    """Every operator that reads ``old`` reads ``new`` instead. Graph outputs are left alone."""
    for operator in graph.operators:
        operator.inputs = [new if read is old else read for read in operator.inputs]


def bypass(graph: Graph, operator: Operator) -> bool:
    """Removes an operator whose only output has the same bytes, shape and type as its first input.

    Returns False, and changes nothing, where that output must stay: the graph returns it, and the input
    is something that no operator can write in its place.
    """
    source, target = operator.inputs[0], operator.outputs[0]
    assert source is not None
    if is_output(graph, target):
        maker = producer(graph, source)
        if maker is None or is_output(graph, source):
            return False
        maker.outputs = [target if written is source else written for written in maker.outputs]
        graph.operators.remove(operator)
        replace_reads(graph, source, target)
    else:
        graph.operators.remove(operator)
        replace_reads(graph, target, source)
    return True


def refresh_tensors(graph: Graph) -> None:
    """Lists the tensors in use: drops what nothing touches any more, adds what passes have made."""
    used = {id(tensor): tensor for tensor in (*graph.inputs, *graph.outputs)}
    for operator in graph.operators:
        used.update((id(tensor), tensor) for tensor in _touched(operator))
    listed = {id(tensor) for tensor in graph.tensors}
    graph.tensors = [tensor for tensor in graph.tensors if id(tensor) in used]
    graph.tensors += [tensor for key, tensor in used.items() if key not in listed]


def all_operators(model: Model) -> list[Operator]:
    return [operator for graph in model.graphs for operator in graph.operators]


def _touched(operator: Operator) -> Iterable[Tensor]:
    yield from (tensor for tensor in operator.inputs if tensor is not None)
    yield from operator.outputs
    yield from operator.intermediates
