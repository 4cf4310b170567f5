# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM in a .tflite: the steps of an LSTM as one operator. Worker process only.

The operator's hidden and cell state are variables, which live across inferences. Layers of the frameworks
begin each inference with zeros: a copy of zeros into each variable stands before the operator, so that the
file says the same in every runtime. No quantizer takes these copies; ``going_on`` takes them out, ``renewed``
puts them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import objects

Array = npt.NDArray[Any]
NAME = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_GATES = ("input", "forget", "cell", "output")
HIDDEN, CELL = 18, 19
"""Inputs that hold the states."""
_TANH = 4


@dataclass(frozen=True)
class Cell:
    """Float weights with the gates input, forget, cell and output along the first axis: of the input
    (4, units, inputs) and of the state (4, units, units); biases (4, units)."""

    weights: Array
    recurrent: Array
    bias: Array

    @property
    def units(self) -> int:
        return int(self.bias.shape[1])

    def constants(self) -> dict[str, Array]:
        """By name, in the order of the operator's inputs."""
        parts = {"weights": self.weights, "recurrent": self.recurrent, "bias": self.bias}
        return {
            f"{gate}_{part}": np.ascontiguousarray(values[index], np.float32)
            for part, values in parts.items()
            for index, gate in enumerate(_GATES)
        }


@dataclass(frozen=True)
class Place:
    """An LSTM of a graph: ``source`` is the tensor (1, steps, inputs) that it reads, ``target``
    (1, steps, units) the one that it writes."""

    name: str
    source: int
    target: int
    cell: Cell


def operands(given: int, constants: Sequence[int], states: Sequence[int]) -> list[int]:
    """The operator's inputs: without peepholes, projection and normalization."""
    weights, biases = constants[:8], constants[8:]
    return [given, *weights, -1, -1, -1, *biases, -1, -1, *states, -1, -1, -1, -1]


OPTIONS: dict[str, float] = {"fusedActivationFunction": _TANH}
"""Fields of ``UnidirectionalSequenceLSTMOptions``; batch first."""


def inserted(data: bytes, places: Sequence[Place]) -> bytes:
    """The float model with these operators. Where ``target`` was an input of the graph, and ``source`` an
    output that only they read, these are none any more: the first of them, in order, are the model's own.
    """
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    for place in places:
        graph.operators.append(_operator(model, graph, place))
    targets = {place.target for place in places}
    graph.inputs = [int(i) for i in graph.inputs if int(i) not in targets]
    graph.outputs = [int(i) for i in graph.outputs][: len(graph.outputs) - len(places)]
    sort(graph)
    return renewed(objects.pack(model))


def _operator(model: Any, graph: Any, place: Place) -> Any:
    graph.tensors[place.target].name = place.name
    constants = [
        objects.constant(model, graph, f"{place.name}/{name}", values)
        for name, values in place.cell.constants().items()
    ]
    states = [
        objects.tensor(graph, f"{place.name}/{name}", (1, place.cell.units), "float32", variable=True)
        for name in ("hidden", "cell")
    ]
    inputs = operands(place.source, constants, states)
    made = objects.operator(model, NAME, inputs, [place.target], "UnidirectionalSequenceLSTMOptions")
    for field, value in OPTIONS.items():
        setattr(made.builtinOptions, field, value)
    return made


def sort(graph: Any) -> None:
    """Puts the operators of a ``SubGraphT`` behind those that write what they read; else in the order they
    have."""
    waiting, sorted_ones = list(graph.operators), list[Any]()
    unwritten = {int(i) for operator in waiting for i in operator.outputs}
    while waiting:
        ready = next(op for op in waiting if not unwritten & {int(i) for i in op.inputs})
        waiting.remove(ready)
        sorted_ones.append(ready)
        unwritten -= {int(i) for i in ready.outputs}
    graph.operators = sorted_ones


def renews(data: bytes) -> bool:
    """Whether an LSTM of the model begins each inference anew."""
    graph = objects.unpack(data).subgraphs[0]
    return any(_is_renewal(graph, operator) for operator in graph.operators)


def _is_renewal(graph: Any, operator: Any) -> bool:
    return any(graph.tensors[int(i)].isVariable for i in operator.outputs)


def going_on(data: bytes) -> bytes:
    """The model whose LSTMs go on from the state of the inference before."""
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    graph.operators = [op for op in graph.operators if not _is_renewal(graph, op)]
    used = {int(i) for op in graph.operators for i in (*op.inputs, *op.outputs, *_listed(op.intermediates))}
    used |= {int(i) for i in (*graph.inputs, *graph.outputs)}
    objects.drop_tensors(model, graph, {i for i in range(len(graph.tensors)) if i not in used})
    objects.drop_unused(model)
    return objects.pack(model)


def _listed(indices: Any) -> Sequence[int]:
    return () if indices is None else indices


def renewed(data: bytes) -> bytes:
    """The model all of whose LSTMs begin each inference with zeros."""
    model = objects.unpack(data)
    graph, operators = model.subgraphs[0], list[Any]()
    for operator in graph.operators:
        if objects.is_operator(model, operator, NAME):
            layer = objects.text(graph.tensors[int(operator.outputs[0])].name)
            for place, kind in ((HIDDEN, "hidden"), (CELL, "cell")):
                state = int(operator.inputs[place])
                graph.tensors[state].name = f"{layer}/{kind}"  # quantizers call it anything
                operators.append(_renewal(model, graph, state, f"{layer}/{kind}"))
        operators.append(operator)
    graph.operators = operators
    return objects.pack(model)


def _renewal(model: Any, graph: Any, state: int, name: str) -> Any:
    """A SLICE of all of a constant: of the movements that copy one, every runtime has it in each type."""
    tensor = graph.tensors[state]
    shape = [int(extent) for extent in tensor.shape]
    quantization = tensor.quantization
    given = quantization is not None and quantization.zeroPoint is not None
    zero = int(quantization.zeroPoint[0]) if given and len(quantization.zeroPoint) else 0
    whole = np.full(shape, zero, objects.dtype_of(tensor))
    zeros = objects.constant(model, graph, f"{name}_zeros", whole, quantization)
    begin = objects.constant(model, graph, f"{name}_begin", np.zeros(len(shape), np.int32))
    size = objects.constant(model, graph, f"{name}_size", np.asarray(shape, np.int32))
    return objects.operator(model, "SLICE", [zeros, begin, size], [state], "SliceOptions")
