# SPDX-License-Identifier: Apache-2.0
"""SUM in 16 bits, as a mean that is multiplied. Worker process only.

TensorFlow's 16-bit quantizer gives the result of a SUM the scale of what is summed, which cuts off whatever
is greater than its greatest value: an additive attention had 10.5 dB instead of 77. A mean fits into that
scale, and the product has one of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyserve.compiler.graph import objects


def as_means(data: bytes) -> bytes:
    """The float model with a MEAN and a MUL for each SUM whose axes are known."""
    model = objects.unpack(data)
    graph, operators = model.subgraphs[0], list[Any]()
    for operator in graph.operators:
        count = _count(model, graph, operator)
        operators.append(operator)
        if count:
            operators.append(_multiplied(model, graph, operator, count))
    if len(operators) == len(graph.operators):
        return data
    graph.operators = operators
    return objects.pack(model)


def _count(model: Any, graph: Any, operator: Any) -> int:
    """How many values of floats a SUM takes together; 0 for other operators."""
    if not objects.is_operator(model, operator, "SUM"):
        return 0
    source, axes = (graph.tensors[int(i)] for i in operator.inputs)
    raw = model.buffers[axes.buffer].data
    if source.type != objects.module().TensorType.FLOAT32 or raw is None:
        return 0
    places = np.frombuffer(np.asarray(raw, np.uint8).tobytes(), np.int32)
    return int(np.prod([int(source.shape[place]) for place in places]))


def _multiplied(model: Any, graph: Any, operator: Any, count: int) -> Any:
    """Makes the operator a MEAN into a tensor of its own; the MUL that gives the sum."""
    generated, target = objects.module(), int(operator.outputs[0])
    output = graph.tensors[target]
    mean, factor = generated.TensorT(), generated.TensorT()
    mean.name, mean.shape, mean.type, mean.buffer = output.name + b"/mean", output.shape, output.type, 0
    factor.name, factor.shape, factor.type = output.name + b"/count", [1], output.type
    factor.buffer = objects.buffer(model, np.array([count], np.float32))
    graph.tensors += [mean, factor]
    place = len(graph.tensors) - 2
    operator.opcodeIndex = objects.operator_code(model, "MEAN", 2)
    operator.outputs = [place]
    return objects.operator(model, "MUL", [place, place + 1], [target], "MulOptions")
