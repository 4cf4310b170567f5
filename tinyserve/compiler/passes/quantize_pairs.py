# SPDX-License-Identifier: Apache-2.0
"""Removes DEQUANTIZE -> QUANTIZE pairs with one and the same quantization.

Exact: float32 holds scale * (q - zero point) to one part in 2^24, and dividing by the same scale is off by as
little again, so rounding gives back q for every int8 and int16.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Graph, Model, Node
from tinyserve.compiler.passes.edit import is_output, producer, replace_reads

NAME = "quantize pairs"


def run(graph: Graph, model: Model) -> int:
    """Returns the number of pairs removed. A DEQUANTIZE that others read stays."""
    return sum(
        _cancel(graph, node) for node in list(graph.nodes) if node.name == "QUANTIZE" and not node.custom
    )


def _cancel(graph: Graph, quantize: Node) -> bool:
    target = quantize.output
    dequantize = producer(graph, quantize.input("input"))
    if dequantize is None or dequantize.name != "DEQUANTIZE" or dequantize.custom:
        return False
    source = dequantize.input("input")
    if source.dtype not in (DType.INT8, DType.INT16) or source.is_constant:
        return False
    if source.dtype is not target.dtype or source.shape != target.shape:
        return False
    if source.quantization is None or source.quantization.per_channel:
        return False
    if source.quantization != target.quantization:
        return False
    if is_output(graph, target):
        quantize.set_input("input", source)  # now a no-op, for its own pass to take out
    else:
        graph.nodes.remove(quantize)
        replace_reads(graph, target, source)
    return True
