# SPDX-License-Identifier: Apache-2.0
"""Small, safe edits of a graph that passes are made of."""

from __future__ import annotations

from collections.abc import Iterable

from tinyserve.compiler.graph.types import Graph, Model, Node, Tensor

_STATEFUL = frozenset(
    {
        "ASSIGN_VARIABLE", "CALL_ONCE", "IF", "READ_VARIABLE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "WHILE",
    }
)  # fmt: skip

_TABLE = "TinyserveLookupTable"


def is_pure(node: Node) -> bool:
    """Whether the outputs depend on nothing but the inputs, and nothing else happens."""
    if node.name in _STATEFUL or (node.custom and node.name != _TABLE):
        return False
    return not any(tensor is not None and tensor.is_variable for tensor in node.inputs)


def consumers(graph: Graph, tensor: Tensor) -> list[Node]:
    """Operators that read ``tensor``, each once, in order."""
    return [node for node in graph.nodes if any(read is tensor for read in node.inputs)]


def producer(graph: Graph, tensor: Tensor) -> Node | None:
    """The operator that writes ``tensor``, None for inputs, constants and variables."""
    for node in graph.nodes:
        if any(written is tensor for written in node.outputs):
            return node
    return None


def is_output(graph: Graph, tensor: Tensor) -> bool:
    return any(output is tensor for output in graph.outputs)


def only_reader(graph: Graph, tensor: Tensor) -> Node | None:
    """The one operator that reads ``tensor``, None where there are more or the graph returns it."""
    readers = consumers(graph, tensor)
    return readers[0] if len(readers) == 1 and not is_output(graph, tensor) else None


def replace_reads(graph: Graph, old: Tensor, new: Tensor) -> None:
    """Every operator that reads ``old`` reads ``new`` instead. Graph outputs are left alone."""
    for node in graph.nodes:
        node.inputs = [new if read is old else read for read in node.inputs]


def bypass(graph: Graph, node: Node, source: Tensor) -> bool:
    """Removes an operator whose only output has the same bytes, shape and type as its input ``source``.

    Returns False, and changes nothing, where that output must stay: the graph returns it, and ``source``
    is something that no operator can write in its place.
    """
    target = node.output
    if is_output(graph, target):
        maker = producer(graph, source)
        if maker is None or is_output(graph, source):
            return False
        maker.outputs = [target if written is source else written for written in maker.outputs]
        graph.nodes.remove(node)
        replace_reads(graph, source, target)
    else:
        graph.nodes.remove(node)
        replace_reads(graph, target, source)
    return True


def refresh_tensors(graph: Graph) -> None:
    """Lists the tensors in use: drops what nothing touches any more, adds what passes have made."""
    used = {id(tensor): tensor for tensor in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        used.update((id(tensor), tensor) for tensor in _touched(node))
    listed = {id(tensor) for tensor in graph.tensors}
    graph.tensors = [tensor for tensor in graph.tensors if id(tensor) in used]
    graph.tensors += [tensor for key, tensor in used.items() if key not in listed]


def all_nodes(model: Model) -> list[Node]:
    return [node for graph in model.graphs for node in graph.nodes]


def _touched(node: Node) -> Iterable[Tensor]:
    yield from (tensor for tensor in node.inputs if tensor is not None)
    yield from node.outputs
    yield from node.intermediates
