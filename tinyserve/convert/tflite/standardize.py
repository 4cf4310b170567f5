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
        centred = _tensor(model, edge, graph.tensors[edge].name + b"/centred")
        scaled = _tensor(model, edge, graph.tensors[edge].name + STANDARDIZED.encode())
        at = graph.operators.index(readers[0])
        graph.operators[at:at] = [
            objects.operator(
                model, "SUB", [edge, _constant(model, middle, b"middle")], [centred], "SubOptions"
            ),
            objects.operator(
                model, "MUL", [centred, _constant(model, factor, b"factor")], [scaled], "MulOptions"
            ),
        ]
        for reader in readers:
            _take_back(model, reader, middle, factor)
            reader.inputs = [scaled, *map(int, reader.inputs[1:])]
    objects.drop_unused(model)
    return objects.pack(model)


def _take_back(model: Any, reader: Any, middle: Array, factor: Array) -> None:
    inputs = [*map(int, reader.inputs), -1][:3]
    weights = _values(model, inputs[1]).astype(np.float64)
    bias = _values(model, inputs[2]).astype(np.float64) if inputs[2] >= 0 else np.zeros(len(weights))
    inputs[1] = _constant(model, weights / factor, b"weights")
    inputs[2] = _constant(model, bias + weights @ middle, b"bias")
    reader.inputs = inputs


def _values(model: Any, index: int) -> Array:
    tensor = model.subgraphs[0].tensors[index]
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    return data.view(np.float32).reshape([int(extent) for extent in tensor.shape])


def _constant(model: Any, values: Array, name: bytes) -> int:
    index = _tensor(model, None, b"standardize/" + name)
    tensor = model.subgraphs[0].tensors[index]
    tensor.shape, tensor.buffer = list(values.shape), objects.buffer(model, values.astype(np.float32))
    return index


def _tensor(model: Any, like: int | None, name: bytes) -> int:
    """A new float tensor, of the shape of ``like``."""
    generated = objects.module()
    graph = model.subgraphs[0]
    tensor = generated.TensorT()
    tensor.type, tensor.name, tensor.buffer = generated.TensorType.FLOAT32, name, 0
    tensor.shape = [] if like is None else list(graph.tensors[like].shape)
    if like is not None:
        tensor.shapeSignature = graph.tensors[like].shapeSignature
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
