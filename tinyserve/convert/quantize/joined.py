# SPDX-License-Identifier: Apache-2.0
"""Values that are joined and then become integers become integers before. Worker process only.

TensorFlow leaves a CONCATENATION in float where one operand is (a function between DEQUANTIZE and QUANTIZE,
which the compiler makes a table of): all others are dequantized for it, and what ends in it gets no table.
Joined as integers, each value is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyserve.compiler.graph import objects


def as_integers(data: bytes, kept: Sequence[str] = ()) -> bytes:
    """The model with each CONCATENATION of floats that only a QUANTIZE reads as one of integers, but those
    whose tensor is ``kept`` in float."""
    model = objects.unpack(data)
    changed = [_change(model, graph, {name.encode() for name in kept}) for graph in model.subgraphs]
    return objects.pack(model) if any(changed) else data


def _change(model: Any, graph: Any, kept: set[bytes]) -> bool:
    changed = False
    for operator in list(graph.operators):
        quantize = _only_quantized(model, graph, operator)
        if quantize is None or graph.tensors[int(operator.outputs[0])].name in kept:
            continue
        target = int(quantize.outputs[0])
        place = next(i for i, one in enumerate(graph.operators) if one is operator)
        inputs, added = list[int](), list[Any]()
        for index in operator.inputs:
            inputs.append(_quantized(model, graph, int(index), target, added))
        operator.inputs, operator.outputs = inputs, [target]
        graph.operators[place:place] = added
        graph.operators = [one for one in graph.operators if one is not quantize]
        changed = True
    if changed:
        _drop_unread(model, graph)
    return changed


def _only_quantized(model: Any, graph: Any, operator: Any) -> Any:
    """The QUANTIZE that alone reads what a CONCATENATION of floats gives, else None."""
    if not objects.is_operator(model, operator, "CONCATENATION"):
        return None
    output = int(operator.outputs[0])
    readers = [one for one in graph.operators if output in map(int, one.inputs)]
    floats = objects.dtype_of(graph.tensors[output]) == "float32"
    options = operator.builtinOptions
    plain = options is None or not options.fusedActivationFunction
    if not floats or not plain or len(readers) != 1 or output in map(int, graph.outputs):
        return None
    return readers[0] if objects.is_operator(model, readers[0], "QUANTIZE") else None


def _quantized(model: Any, graph: Any, index: int, target: int, added: list[Any]) -> int:
    """The tensor of what ``index`` holds in the target's type and scale; ``added`` gets what computes it."""
    wanted = graph.tensors[target]
    maker = next((one for one in graph.operators if index in map(int, one.outputs)), None)
    if maker is not None and objects.is_operator(model, maker, "DEQUANTIZE"):
        index = int(maker.inputs[0])
        known = graph.tensors[index]
        if known.type == wanted.type and _parameters(known) == _parameters(wanted):
            return index
    given = graph.tensors[index]
    name, dtype = f"{objects.text(given.name)}/joined", objects.dtype_of(wanted)
    made = objects.tensor(graph, name, given.shape, dtype, wanted.quantization)
    added.append(objects.operator(model, "QUANTIZE", [index], [made], version=2))
    return made


def _parameters(tensor: Any) -> tuple[list[float], list[int]]:
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        return [], []
    points = quantization.zeroPoint if quantization.zeroPoint is not None else [0]
    return [float(scale) for scale in quantization.scale], [int(point) for point in points]


def _drop_unread(model: Any, graph: Any) -> None:
    """DEQUANTIZE whose result nothing reads any more."""
    read = {int(index) for operator in graph.operators for index in operator.inputs}
    read |= {int(index) for index in graph.outputs}
    graph.operators = [
        operator
        for operator in graph.operators
        if int(operator.outputs[0]) in read or not objects.is_operator(model, operator, "DEQUANTIZE")
    ]
    objects.drop_unused(model)
