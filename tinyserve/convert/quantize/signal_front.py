# SPDX-License-Identifier: Apache-2.0
"""Which part of a model is a front end that only its own kernels run: audio features in front of a network.

LiteRT, which calibrates, lacks such custom operators (TFLM's ``Signal...``, your own). The front end keeps
its arithmetic; the network behind it is quantized with what the front end gives.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Model, Node
from tinyserve.errors import UnsupportedError
from tinyserve.features.flow import PREFIX

_RUN_BY_LITERT = frozenset({"TFLite_Detection_PostProcess"})
_QUANTIZED_APART = frozenset({"TreeEnsemble"})


def custom_operators(model: Model) -> list[str]:
    """Names of the custom operators that LiteRT lacks."""
    known = _RUN_BY_LITERT | _QUANTIZED_APART
    found = {node.name for graph in model.graphs for node in graph.nodes if node.custom}
    return sorted(found - known)


def operators_of(model: Model) -> list[int]:
    """Indices of the front end's operators: the custom ones, all that they compute from, and what goes on
    with their integers until the network's floats begin. Empty where the model has no front end.

    Raises UnsupportedError where custom operators leave no network to quantize.
    """
    custom, nodes = custom_operators(model), model.main.nodes
    if not custom and not any(map(is_feature, nodes)):
        return []
    front = ancestors(nodes, [node for node in nodes if node.name in custom or is_feature(node)])
    for node in nodes:
        if node.index not in front and _goes_on_in_integers(node, nodes, front):
            front.add(node.index)
    behind = [node for node in nodes if node.index not in front]
    if len(model.graphs) > 1 or not any(_has_weights(node) for node in behind):
        raise UnsupportedError(
            f"{', '.join(custom)}: LiteRT, which calibrates, lacks them, and no network is behind them",
            "--quantize float32, or quantize the network before they are added",
        )
    return sorted(front)


def ancestors(nodes: list[Node], seeds: list[Node]) -> set[int]:
    """Indices of ``seeds`` and of everything that computes what they read."""
    writers = {id(tensor): node for node in nodes for tensor in node.outputs}
    found: set[int] = set()
    waiting = list(seeds)
    while waiting:
        node = waiting.pop()
        if node.index not in found:
            found.add(node.index)
            waiting += [writers[id(t)] for t in node.inputs if t is not None and id(t) in writers]
    return found


def _goes_on_in_integers(node: Node, nodes: list[Node], front: set[int]) -> bool:
    written = {id(tensor) for other in nodes if other.index in front for tensor in other.outputs}
    computed = [tensor for tensor in node.inputs if tensor is not None and not tensor.is_constant]
    return (
        bool(computed)
        and all(id(tensor) in written for tensor in computed)
        and any(tensor.dtype is not DType.FLOAT32 for tensor in computed)
    )


def is_feature(node: Node) -> bool:
    """Steps of a specification, whatever operators they are made of."""
    return any(tensor.name.startswith(PREFIX) for tensor in node.outputs)


def _has_weights(node: Node) -> bool:
    return any(t is not None and t.is_constant and t.dtype is DType.FLOAT32 for t in node.inputs)
