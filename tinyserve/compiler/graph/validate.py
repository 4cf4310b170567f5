# SPDX-License-Identifier: Apache-2.0
"""What must hold for every graph, whatever its operators: order of execution, quantization, subgraphs."""

from __future__ import annotations

import math
from graphlib import CycleError, TopologicalSorter

from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Quantization, Tensor
from tinyserve.errors import ModelError

_EXPORT = "export the model again with a current converter"

_INTEGER_RANGE = {
    DType.INT8: (-128, 127),
    DType.UINT8: (0, 255),
    DType.INT16: (-32768, 32767),
    DType.UINT16: (0, 65535),
    DType.INT4: (-8, 7),
    DType.INT32: (-(2**31), 2**31 - 1),
    DType.INT64: (-(2**63), 2**63 - 1),
}

# Fields of the operators' options that hold subgraph numbers, with the schema's default.
_SUBGRAPH_FIELDS = {
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
    "CALL_ONCE": ("init_subgraph_index",),
}


def validate(model: Model) -> None:
    """Raises ModelError unless every graph can be executed in order and subgraph calls end."""
    for graph in model.graphs:
        _check_order(graph)
    _check_calls(model)


def quantization_problem(quantization: Quantization, tensor: Tensor, is_constant: bool) -> str:
    """What makes scales and zero points unusable for the tensor's type and shape; empty where nothing does.

    Zero points are values of the tensor's type, except activations that have a scale per channel: features
    of trees need no zero in their range.
    """
    count, axis = len(quantization.scales), quantization.axis
    if not all(math.isfinite(scale) and scale >= 0 for scale in quantization.scales):
        return "a scale is negative or not a number"
    kind = DType.INT32 if count > 1 and not is_constant else tensor.dtype
    low, high = _INTEGER_RANGE.get(kind, (-math.inf, math.inf))
    if not all(low <= zero_point <= high for zero_point in quantization.zero_points):
        return f"a zero point is outside {kind.value}"
    if count > 1 and not is_constant and tensor.shape[axis : axis + 1] != (count,):
        return f"{count} scales along axis {axis} of a tensor of shape {list(tensor.shape)}"
    return ""


def subgraphs_called(node: Node) -> tuple[int, ...]:
    """Numbers of the subgraphs that a control-flow operator runs."""
    if node.custom:
        return ()
    return tuple(node.options.int32(field) for field in _SUBGRAPH_FIELDS.get(node.name, ()))


def _check_order(graph: Graph) -> None:
    """Every tensor but variables is written once, before it is read; constants and inputs never are."""
    ready = {id(tensor) for tensor in graph.tensors if tensor.is_constant or tensor.is_variable}
    for tensor in graph.inputs:
        if tensor.is_constant:
            raise ModelError(f'{graph.name}: input "{tensor.name}" is a constant', _EXPORT)
        ready.add(id(tensor))
    if len({id(tensor) for tensor in graph.inputs}) != len(graph.inputs):
        raise ModelError(f"{graph.name}: an input is listed twice", _EXPORT)
    for node in graph.nodes:
        for read in node.inputs:
            if read is not None and id(read) not in ready:
                raise ModelError(f'{node.location} reads "{read.name}" before anything wrote it', _EXPORT)
        for written in node.outputs:
            if id(written) in ready and not written.is_variable:
                raise ModelError(
                    f'{node.location} writes "{written.name}", which has a value already', _EXPORT
                )
            ready.add(id(written))
    for tensor in graph.outputs:
        if id(tensor) not in ready:
            raise ModelError(f'{graph.name}: nothing writes the output "{tensor.name}"', _EXPORT)


def _check_calls(model: Model) -> None:
    """Subgraphs exist and do not call themselves, directly or through others."""
    calls: dict[int, set[int]] = {}
    for caller, graph in enumerate(model.graphs):
        calls[caller] = {called for node in graph.nodes for called in subgraphs_called(node)}
        for number in calls[caller]:
            if not 0 <= number < len(model.graphs):
                raise ModelError(f"{graph.name} runs subgraph {number} of {len(model.graphs)}", _EXPORT)
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        raise ModelError("a subgraph runs itself", _EXPORT) from error
