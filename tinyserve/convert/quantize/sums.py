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
    places = objects.values(model, axes)
    if objects.dtype_of(source) != "float32" or places is None:
        return 0
    return int(np.prod([int(source.shape[place]) for place in places.reshape(-1)]))


def _multiplied(model: Any, graph: Any, operator: Any, count: int) -> Any:
    """Makes the operator a MEAN into a tensor of its own; the MUL that gives the sum."""
    target = int(operator.outputs[0])
    output = graph.tensors[target]
    mean = objects.tensor(graph, output.name + b"/mean", output.shape, "float32")
    factor = objects.constant(model, graph, output.name + b"/count", np.array([count], np.float32))
    operator.opcodeIndex = objects.operator_code(model, "MEAN", 2)
    operator.outputs = [mean]
    return objects.operator(model, "MUL", [mean, factor], [target], "MulOptions")
