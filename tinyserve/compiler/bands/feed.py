# SPDX-License-Identifier: Apache-2.0
"""Whether a model's input can be fed by rows: where its rows begin to be read, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.bands.stages import Registry, refusal
from tinyserve.compiler.graph.rows import has_rows, takes_rows
from tinyserve.compiler.graph.types import Graph, Node, Tensor
from tinyserve.compiler.program import Target
from tinyserve.errors import UnsupportedError

_HINT = "compile it without --feed rows: the input is then handed over as a whole"
_CONTROL = ("IF", "WHILE", "CALL_ONCE")


@dataclass(frozen=True)
class FedInput:
    """A model's input as it is fed: ``tensor`` has its rows, the layer ``first`` is the first to read them.
    Before that there are reshapes of it alone."""

    tensor: Tensor
    first: int


def fed_input(graph: Graph, registry: Registry, target: Target) -> FedInput:
    """The main graph's input as rows. Raises UnsupportedError, with the reason, where it can't be fed so."""
    if len(graph.inputs) != 1:
        raise _refused(f"the model has {len(graph.inputs)} inputs, where one is fed")
    if any(node.name in _CONTROL for node in graph.nodes):
        raise _refused("the model has branches or loops, which need whole tensors")
    tensor, first = graph.inputs[0], 0
    while first < len(graph.nodes) and _only_reshapes(graph, first, tensor):
        tensor, first = graph.nodes[first].output, first + 1
    if tensor in graph.outputs:
        raise _refused("the input is an output, too")
    if first == len(graph.nodes):
        raise _refused("the model computes nothing of its input")
    node = graph.nodes[first]
    why = _why_not(node, tensor, registry, target)
    if why:
        raise _refused(f"{node.name}, the first layer, can't be computed by rows: {why}")
    return FedInput(tensor, first)


def _only_reshapes(graph: Graph, index: int, tensor: Tensor) -> bool:
    """Whether a layer is another view of ``tensor``, which nothing else reads."""
    node = graph.nodes[index]
    readers = [other for other in graph.nodes if tensor in other.operands()]
    return (
        node.name == "RESHAPE" and readers == [node] and node.operands()[0] is tensor
        and tensor not in graph.outputs
    )  # fmt: skip


def _why_not(node: Node, tensor: Tensor, registry: Registry, target: Target) -> str:
    if not has_rows(tensor):
        return f"the input's shape is {list(tensor.shape)}, and rows are those of one image [1, rows, ...]"
    if tensor not in takes_rows(node):
        return "it does not read the input"
    return refusal(node, registry(node), target)


def no_band(node: Node, reason: str) -> UnsupportedError:
    """The first layer can be computed by rows, but not of an input that is fed: ``reason`` says why."""
    return _refused(f"{node.name}, the first layer, can't be computed as rows come: {reason}")


def _refused(reason: str) -> UnsupportedError:
    return UnsupportedError(f"--feed rows: {reason}", _HINT)
