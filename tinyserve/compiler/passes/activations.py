# SPDX-License-Identifier: Apache-2.0
"""Merges RELU, RELU6 and RELU_N1_TO_1 into the operator that makes their input.

Exact where both have one quantization: the operator's output is clamped twice, by bounds that are computed
from the same scale and zero point, and clamping twice is clamping to the intersection.
"""

from __future__ import annotations

from dataclasses import replace

from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Tensor
from tinyserve.compiler.ops.support.quantize_params import Activation, activation_range
from tinyserve.compiler.passes.edit import is_output, only_reader
from tinyserve.errors import UnsupportedError

NAME = "activations"

_ACTIVATIONS = {
    "RELU": Activation.RELU,
    "RELU6": Activation.RELU6,
    "RELU_N1_TO_1": Activation.RELU_N1_TO_1,
}
_FUSING = frozenset(
    {
        "ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL",
        "SUB", "TRANSPOSE_CONV",
    }
)  # fmt: skip


def run(graph: Graph, model: Model) -> int:
    """Returns the number of activations merged."""
    return sum(_merge(graph, node) for node in list(graph.nodes) if node.name in _FUSING and not node.custom)


def _merge(graph: Graph, node: Node) -> bool:
    middle = node.output
    reader = only_reader(graph, middle)
    if reader is None or reader.custom or reader.name not in _ACTIVATIONS or is_output(graph, middle):
        return False
    output = reader.outputs[0]
    if (middle.dtype, middle.shape, middle.quantization) != (output.dtype, output.shape, output.quantization):
        return False
    merged = _both(node.attributes.activation, _ACTIVATIONS[reader.name])
    if merged is None or not _representable(node, merged, output):
        return False
    node.attributes = replace(node.attributes, activation=merged)
    node.outputs = [output]
    graph.nodes.remove(reader)
    return True


def _representable(node: Node, activation: Activation, output: Tensor) -> bool:
    """Whether the bounds leave any value of a quantized output: kernels refuse empty ranges."""
    if output.dtype not in (DType.INT8, DType.INT16):
        return True
    try:
        activation_range(node, activation, output)
    except UnsupportedError:
        return False
    return True


def _both(first: Activation, second: Activation) -> Activation | None:
    """The activation that equals one after the other, None where there is none."""
    pair = {first, second} - {Activation.NONE}
    if len(pair) <= 1:
        return next(iter(pair), Activation.NONE)
    return Activation.RELU6 if pair == {Activation.RELU, Activation.RELU6} else None
