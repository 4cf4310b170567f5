# SPDX-License-Identifier: Apache-2.0
"""Makes constants of variables that a CALL_ONCE sets and nothing changes afterwards.

Exact: whatever reads the variable behind the CALL_ONCE reads the value that its subgraph assigns, on the
first inference, on all others, and after a reset. An assignment that nobody reads goes, and so does a
CALL_ONCE that has nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Tensor
from tinyserve.compiler.graph.validate import subgraphs_called
from tinyserve.compiler.passes.edit import all_nodes, refresh_tensors

NAME = "constant variables"

_ARITY = {"VAR_HANDLE": (0, 1), "READ_VARIABLE": (1, 1), "ASSIGN_VARIABLE": (2, 0)}
"""Inputs and outputs: the pass runs before operators are checked, too."""


@dataclass
class _Variable:
    """Every operator that touches one variable, with its graph."""

    reads: list[tuple[Graph, Node]] = field(default_factory=list)
    assignments: list[tuple[Graph, Node]] = field(default_factory=list)


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators removed, from all graphs. Does nothing for graphs but the main one."""
    if graph is not model.main:
        return 0
    changes = sum(_make_constant(variable, model) for variable in _variables(model))
    for node in [node for node in graph.nodes if _is_idle_call(node, model)]:
        graph.nodes.remove(node)
        changes += 1
    if changes:
        for changed in model.graphs:
            refresh_tensors(changed)
    return changes


def _variables(model: Model) -> list[_Variable]:
    """All variables; none where a handle goes in or out of a subgraph, for then it may be any of them."""
    found: dict[object, _Variable] = {}
    for graph in model.graphs:
        handles = {id(node.output): node.attributes for node in graph.nodes if _is(node, "VAR_HANDLE")}
        if any(tensor.dtype is DType.RESOURCE for tensor in (*graph.inputs, *graph.outputs)):
            return []
        for node, handle in _uses(graph):
            name = handles.get(id(handle))
            reads = _is(node, "READ_VARIABLE")
            if name is None or not (reads or _is(node, "ASSIGN_VARIABLE")):
                return []
            variable = found.setdefault(name, _Variable())
            (variable.reads if reads else variable.assignments).append((graph, node))
    return list(found.values())


def _uses(graph: Graph) -> Iterator[tuple[Node, Tensor]]:
    for node in graph.nodes:
        for tensor in node.inputs:
            if tensor is not None and tensor.dtype is DType.RESOURCE:
                yield node, tensor


def _make_constant(variable: _Variable, model: Model) -> int:
    """Takes out the reads that a constant replaces, then the assignment if none is left."""
    if len(variable.assignments) != 1:
        return 0
    where, assignment = variable.assignments[0]
    value = assignment.optional("value")
    call = _only_call_once(where, model)
    if call is None or value is None or value.data is None:
        return 0
    changes = 0
    behind = model.main.nodes[model.main.nodes.index(call) :]
    for graph, read in list(variable.reads):
        output = read.outputs[0]
        if read in behind and (output.shape, output.dtype) == (value.shape, value.dtype):
            output.data = value.data
            graph.nodes.remove(read)
            variable.reads.remove((graph, read))
            changes += 1
    if not variable.reads:
        where.nodes.remove(assignment)
        changes += 1
    return changes


def _only_call_once(graph: Graph, model: Model) -> Node | None:
    """The main graph's CALL_ONCE that alone runs ``graph``, None where anything else does."""
    number = next(index for index, other in enumerate(model.graphs) if other is graph)
    callers = [node for node in all_nodes(model) if number in subgraphs_called(node)]
    if len(callers) != 1 or callers[0].name != "CALL_ONCE" or callers[0] not in model.main.nodes:
        return None
    return callers[0]


def _is_idle_call(node: Node, model: Model) -> bool:
    """Whether an operator is a CALL_ONCE whose subgraph at most gets handles."""
    if node.custom or node.name != "CALL_ONCE":
        return False
    graphs = [model.graphs[number] for number in subgraphs_called(node)]
    return all(inner.name == "VAR_HANDLE" for graph in graphs for inner in graph.nodes)


def _is(node: Node, name: str) -> bool:
    return not node.custom and node.name == name and (len(node.inputs), len(node.outputs)) == _ARITY[name]
