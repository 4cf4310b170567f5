# SPDX-License-Identifier: Apache-2.0
"""DEQUANTIZE, functions of each value alone, QUANTIZE: one table of 256 bytes.

Whatever stands between is a function of one int8 value, so all of its values are known. Each operator is
computed in float32 as TFLM's kernels do, its result being the nearest float32: where a C library's exp or log
is off by a unit in the last place, a value halfway between two steps of the output may become the other one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Tensor
from tinyserve.compiler.ops.elementwise.lookup_table import NAME as TABLE
from tinyserve.compiler.ops.elementwise.lookup_table import LookupAttributes, LookupTable
from tinyserve.compiler.passes import real_functions
from tinyserve.compiler.passes.edit import producer

NAME = "lookup tables"
_MOST = 64  # operators of one chain

Array = npt.NDArray[np.generic]


def run(graph: Graph, model: Model) -> int:
    """Returns the number of chains that became tables; what computed them is dead code now."""
    return sum(
        _replace(graph, node) for node in list(graph.nodes) if node.name == "QUANTIZE" and not node.custom
    )


@dataclass(frozen=True)
class _Chain:
    """Operators in order between an int8 tensor and a float32 one."""

    source: Tensor
    nodes: list[Node]


def _replace(graph: Graph, quantize: Node) -> bool:
    real, target = quantize.input("input"), quantize.output
    if real.is_constant or not _is_byte(target):
        return False
    chain = _chain(graph, real)
    if chain is None or not any(node.name != "DEQUANTIZE" for node in chain.nodes):
        return False
    values = _evaluate(chain, real)
    if values is None:
        return False
    steps = rounded_steps(values, np.float32(target.scale))
    table = np.clip(steps + target.zero_point, -128, 127).astype(np.int8).view(np.uint8)
    made = Node(
        index=quantize.index, name=TABLE, inputs=[chain.source], outputs=[target], options=quantize.options,
        custom=True, attributes=LookupAttributes(bytes(table)), signature=LookupTable().signature,
    )  # fmt: skip
    graph.nodes[graph.nodes.index(quantize)] = made
    return True


def rounded_steps(values: npt.NDArray[np.float32], scale: np.float32) -> npt.NDArray[np.int64]:
    """``std::round(values / scale)``, halves away from zero: divided in float32 as TFLM does.

    Rounded in float64, where adding a half is exact: in float32 it takes 0.49999997 to 1.
    """
    with np.errstate(over="ignore"):
        ratio = (values / scale).astype(np.float64)
    return np.clip(np.trunc(ratio + np.copysign(0.5, ratio)), -1e6, 1e6).astype(np.int64)


def _is_byte(tensor: Tensor) -> bool:
    quantization = tensor.quantization
    return tensor.dtype is DType.INT8 and quantization is not None and not quantization.per_channel


def _chain(graph: Graph, real: Tensor) -> _Chain | None:
    """What makes ``real`` of one int8 tensor, value by value; None where something else goes into it."""
    found: dict[int, Node] = {}
    sources: dict[int, Tensor] = {}
    waiting = [real]
    while waiting:
        tensor = waiting.pop()
        maker = producer(graph, tensor)
        if maker is None or tensor.elements != real.elements or len(found) > _MOST:
            return None
        if id(maker) in found:
            continue
        found[id(maker)] = maker
        if maker.name == "DEQUANTIZE" and not maker.custom:
            source = maker.input("input")
            if source.is_constant or not _is_byte(source):
                return None
            sources[id(source)] = source
            continue
        if not real_functions.is_known(maker):
            return None
        waiting += [read for read in maker.inputs if read is not None and not read.is_constant]
    order = [node for node in graph.nodes if id(node) in found]
    return _Chain(next(iter(sources.values())), order) if len(sources) == 1 else None


def _evaluate(chain: _Chain, real: Tensor) -> npt.NDArray[np.float32] | None:
    """The float32 result for each int8 value, in the order of the values' bytes."""
    quantized = np.concatenate([np.arange(128), np.arange(-128, 0)])
    scale = np.float32(chain.source.scale)
    values: dict[int, Array] = {}
    for node in chain.nodes:
        if node.name == "DEQUANTIZE":
            shifted = (quantized - chain.source.zero_point).astype(np.float32)
            values[id(node.output)] = scale * shifted
            continue
        inputs = [_operand(read, values) for read in node.inputs if read is not None]
        result = None if any(value is None for value in inputs) else real_functions.apply(node, inputs)
        if result is None:
            return None
        values[id(node.output)] = np.broadcast_to(result, quantized.shape)
    final = values[id(real)].astype(np.float32)
    return final if not np.isnan(final).any() else None


def _operand(tensor: Tensor, values: dict[int, Array]) -> Array | None:
    """A computed value, or a constant that is the same for every element."""
    if tensor.data is None:
        return values.get(id(tensor))
    flat = np.asarray(tensor.data).reshape(-1)
    return flat[:1] if flat.size and (flat == flat[0]).all() else None
