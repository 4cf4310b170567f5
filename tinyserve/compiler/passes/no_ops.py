# SPDX-License-Identifier: Apache-2.0
"""Removes operators that return their input's bytes under the same shape, type and quantization."""

from __future__ import annotations

from collections.abc import Callable

from tinyserve.compiler.graph.types import Graph, Model, Node, Tensor
from tinyserve.compiler.passes.edit import bypass

NAME = "no-ops"


def run(graph: Graph, model: Model) -> int:
    """Returns the number of operators removed."""
    count = 0
    for node in list(graph.nodes):
        source = _returned(node)
        count += source is not None and bypass(graph, node, source)
    return count


def _returned(node: Node) -> Tensor | None:
    """The input that the operator returns as it is; None where it does something."""
    condition = _CONDITIONS.get(node.name)
    if condition is None or node.custom or len(node.outputs) != 1:
        return None
    source, output = node.optional("first" if node.name == "CONCATENATION" else "input"), node.output
    if source is None or source.is_constant or source.is_variable:
        return None
    alike = (source.shape, source.dtype, source.quantization) == (
        output.shape,
        output.dtype,
        output.quantization,
    )
    return source if alike and condition(node) else None


def _always(node: Node) -> bool:
    """Moves values, or converts to the same type (QUANTIZE to the same scale multiplies by exactly one)."""
    return True


def _one_input(node: Node) -> bool:
    return len(node.inputs) == 1 and not node.options.int8("fused_activation_function")


def _pads_nothing(node: Node) -> bool:
    paddings = node.optional("paddings")
    return paddings is not None and paddings.data is not None and not paddings.data.any()


def _identity_permutation(node: Node) -> bool:
    permutation = node.optional("permutation")
    if permutation is None or permutation.data is None:
        return False
    order = permutation.data.reshape(-1).tolist()
    return bool(order == list(range(len(order))))


def _begins_at_zero(node: Node) -> bool:
    """A slice of the whole: the shapes are equal, so only a reversed or wrapped one could differ."""
    begin = node.optional("begin")
    return begin is not None and begin.data is not None and not begin.data.any()


def _whole_strided_slice(node: Node) -> bool:
    strides = node.optional("strides")
    return (
        _begins_at_zero(node)
        and strides is not None
        and strides.data is not None
        and bool((strides.data == 1).all())
        and not any(
            node.options.int32(field) for field in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
        )
    )


_CONDITIONS: dict[str, Callable[[Node], bool]] = {
    "BROADCAST_TO": _always,
    "CAST": _always,
    "CONCATENATION": _one_input,
    "EXPAND_DIMS": _always,
    "PAD": _pads_nothing,
    "PADV2": _pads_nothing,
    "QUANTIZE": _always,
    "RESHAPE": _always,
    "SLICE": _begins_at_zero,
    "SQUEEZE": _always,
    "STRIDED_SLICE": _whole_strided_slice,
    "TRANSPOSE": _identity_permutation,
}
