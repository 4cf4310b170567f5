# SPDX-License-Identifier: Apache-2.0
"""Puts a step per feature in front of dense layers, whose weights take it back. Worker process only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import objects
from tinyserve.convert.quantize.scaling_front import STANDARDIZED, Standardization

Array = npt.NDArray[Any]


def standardized(data: bytes, steps: list[Standardization]) -> bytes:
    """A float .tflite that computes the same: (x - middle) * factor, then layers with weights / factor and
    biases + weights · middle."""
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    operators = list(graph.operators)
    for step in steps:
        readers = [operators[index] for index in step.readers]
        middle, factor = np.asarray(step.middle, np.float64), np.asarray(step.factor, np.float64)
        edge = int(readers[0].inputs[0])
        centred = _tensor(graph, graph.tensors[edge], "/centred")
        scaled = _tensor(graph, graph.tensors[edge], STANDARDIZED)
        at = graph.operators.index(readers[0])
        graph.operators[at:at] = [
            objects.operator(
                model, "SUB", [edge, _constant(model, middle, "middle")], [centred], "SubOptions"
            ),
            objects.operator(
                model, "MUL", [centred, _constant(model, factor, "factor")], [scaled], "MulOptions"
            ),
        ]
        for reader in readers:
            _take_back(model, reader, middle, factor)
            reader.inputs = [scaled, *map(int, reader.inputs[1:])]
    objects.drop_unused(model)
    return objects.pack(model)


def _take_back(model: Any, reader: Any, middle: Array, factor: Array) -> None:
    inputs = [*map(int, reader.inputs), -1][:3]
    weights = _values(model, inputs[1])
    bias = _values(model, inputs[2]) if inputs[2] >= 0 else np.zeros(len(weights))
    inputs[1] = _constant(model, weights / factor, "weights")
    inputs[2] = _constant(model, bias + weights @ middle, "bias")
    reader.inputs = inputs


def _values(model: Any, index: int) -> Array:
    values = objects.values(model, model.subgraphs[0].tensors[index])
    assert values is not None, "readers have constant weights"
    return values.astype(np.float64)


def _constant(model: Any, values: Array, name: str) -> int:
    return objects.constant(model, model.subgraphs[0], f"standardize/{name}", values.astype(np.float32))


def _tensor(graph: Any, edge: Any, ending: str) -> int:
    """A new float tensor, of the shape of ``edge``."""
    index = objects.tensor(graph, objects.text(edge.name) + ending, edge.shape, "float32")
    graph.tensors[index].shapeSignature = edge.shapeSignature
    return index
