# SPDX-License-Identifier: Apache-2.0
"""LSTMs with activations of 16 bits, which TFLM runs and no quantizer makes. Worker process only.

The layers are taken out of the float model: what they write become inputs, what they read outputs. The rest
goes through the quantizer, and the layers come back in integers between the scales that it has chosen.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import objects
from tinyserve.convert.tflite import sequence_lstm
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.loaded import Arrays, Say

Array = npt.NDArray[Any]
_GATES = 4
_WEIGHTS, _RECURRENT, _BIASES = 1, 5, 12
"""The first input of each kind."""
_MOST = 32767


@dataclass(frozen=True)
class Layer:
    """A layer that was taken out. ``outputs``: of all samples, (N, 1, steps, units) as the operator has them;
    ``given``, ``cell``: the greatest magnitudes of its inputs and of a cell."""

    operator: Any
    constants: dict[int, Array]
    outputs: Array
    given: float
    cell: float

    @property
    def state_shape(self) -> tuple[int, int]:
        """(batch, units)"""
        batch = self.outputs.shape[2 if self.operator.builtinOptions.timeMajor else 1]
        return batch, self.outputs.shape[-1]


def taken_out(
    data: bytes, samples: Arrays, kept: Collection[str], say: Say, anew: bool
) -> tuple[bytes, list[Layer]]:
    """The model without its LSTMs in float, but those that write a tensor in ``kept``. Behind its own inputs
    and outputs it has one of each per layer. ``anew``: they begin each sample with zeros.
    """
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    found = [op for op in graph.operators if _is_float(model, graph, op) and _name(graph, op) not in kept]
    if not found:
        return data, []
    places = [(int(op.inputs[0]), int(op.outputs[0])) for op in found]
    values = list(_values(data, samples, places, say, anew))
    layers = [_layer(model, graph, op, pair, anew) for op, pair in zip(found, values, strict=True)]
    graph.operators = [op for op in graph.operators if not any(op is one for one in found)]
    graph.inputs = [*map(int, graph.inputs), *(target for _, target in places)]
    graph.outputs = [*map(int, graph.outputs), *(source for source, _ in places)]
    model.signatureDefs = None
    return objects.pack(model), layers


def put_back(data: bytes, layers: list[Layer]) -> bytes:
    """The quantized model, whose inputs and outputs are in order, with its layers in integers."""
    model = objects.unpack(data)
    graph, count = model.subgraphs[0], len(layers)
    places = [(int(s), int(t)) for s, t in zip(graph.outputs[-count:], graph.inputs[-count:], strict=True)]
    for layer, (source, target) in zip(layers, places, strict=True):
        inner = _in_integers(model, graph, source, layer.given, "QUANTIZE")
        made = _in_integers(model, graph, target, float(np.abs(layer.outputs).max()), "DEQUANTIZE")
        graph.operators.append(_integer(model, graph, layer, inner, made))
    graph.inputs, graph.outputs = list(graph.inputs[:-count]), list(graph.outputs[:-count])
    model.signatureDefs = None
    sequence_lstm.sort(graph)
    return objects.pack(model)


def _is_float(model: Any, graph: Any, operator: Any) -> bool:
    if not objects.is_operator(model, operator, sequence_lstm.NAME):
        return False
    return objects.dtype_of(graph.tensors[int(operator.inputs[0])]) == "float32"


def _name(graph: Any, operator: Any) -> str:
    return objects.text(graph.tensors[int(operator.outputs[0])].name)


def _values(
    data: bytes, samples: Arrays, places: list[tuple[int, int]], say: Say, anew: bool
) -> list[tuple[Array, Array]]:
    """What each layer reads and writes, (N, ...)."""
    model = objects.unpack(data)
    given = {int(index): array for index, array in zip(model.subgraphs[0].inputs, samples, strict=True)}
    rows: list[list[tuple[Array, Array]]] = []
    for index, traced in enumerate(runtimes.each_trace(data, samples, say, anew)):
        known = traced | {place: array[index] for place, array in given.items()}
        rows.append([(known[source], known[target]) for source, target in places])
    return [
        (np.stack([row[i][0] for row in rows]), np.stack([row[i][1] for row in rows]))
        for i in range(len(places))
    ]


def _layer(model: Any, graph: Any, operator: Any, values: tuple[Array, Array], anew: bool) -> Layer:
    given, made = values
    constants = {
        place: np.asarray(objects.values(model, graph.tensors[int(operator.inputs[place])]))
        for place in (*range(_WEIGHTS, _WEIGHTS + 2 * _GATES), *range(_BIASES, _BIASES + _GATES))
    }
    time_major = bool(operator.builtinOptions.timeMajor)
    cell = _greatest_cell(constants, given, made, time_major, anew)
    return Layer(operator, constants, made, float(np.abs(given).max()), cell)


def _greatest_cell(
    constants: dict[int, Array], given: Array, made: Array, time_major: bool, anew: bool
) -> float:
    """Over all samples, batches and steps. The hidden states are the outputs, which are known."""
    if not time_major:
        given, made = given.swapaxes(1, 2), made.swapaxes(1, 2)
    cell, hidden, greatest = np.zeros(made.shape[2:]), np.zeros(made.shape[2:]), 0.0
    for rows, outputs in zip(given, made, strict=True):
        if anew:
            cell, hidden = np.zeros_like(cell), np.zeros_like(hidden)
        for row, output in zip(rows, outputs, strict=True):
            gates = [
                row @ constants[_WEIGHTS + g].T
                + hidden @ constants[_RECURRENT + g].T
                + constants[_BIASES + g]
                for g in range(_GATES - 1)
            ]
            kept, new = (1 / (1 + np.exp(-np.clip(gates[g], -60, 60))) for g in (1, 0))
            cell, hidden = kept * cell + new * np.tanh(gates[2]), output
            greatest = max(greatest, float(np.abs(cell).max()))
    return greatest


def _in_integers(model: Any, graph: Any, place: int, reach: float, conversion: str) -> int:
    """The tensor itself; where the quantizer has left it in float, one of integers in its place."""
    tensor = graph.tensors[place]
    if objects.dtype_of(tensor) != "float32":
        return place
    scale = _scaled(max(reach, 1e-9) / _MOST)
    made = objects.tensor(graph, f"{objects.text(tensor.name)}_integers", tensor.shape, "int16", scale)
    ends = [place, made] if conversion == "QUANTIZE" else [made, place]
    graph.operators.append(objects.operator(model, conversion, ends[:1], ends[1:]))
    return made


def _integer(model: Any, graph: Any, layer: Layer, source: int, target: int) -> Any:
    """The operator with 8-bit weights, one scale each, and 64-bit biases in the scale of their products."""
    given, made = graph.tensors[source], graph.tensors[target]
    prefix = objects.text(made.name)
    operator = objects.operator(model, sequence_lstm.NAME, [-1] * len(layer.operator.inputs), [target])
    operator.builtinOptionsType = layer.operator.builtinOptionsType
    operator.builtinOptions = layer.operator.builtinOptions
    operator.inputs[0] = source
    for place, values in layer.constants.items():
        if place < _BIASES:
            scale = max(float(np.abs(values).max()), 1e-9) / 127
            stored = np.clip(np.round(values / scale), -127, 127).astype(np.int8)
            operator.inputs[place] = objects.constant(
                model, graph, f"{prefix}/{place}", stored, _scaled(scale)
            )
    for gate in range(_GATES):
        weights = graph.tensors[operator.inputs[_WEIGHTS + gate]]
        scale = float(given.quantization.scale[0]) * float(weights.quantization.scale[0])
        stored = np.round(layer.constants[_BIASES + gate] / scale).astype(np.int64)
        place = _BIASES + gate
        operator.inputs[place] = objects.constant(model, graph, f"{prefix}/{place}", stored, _scaled(scale))
    power = int(np.ceil(np.log2(max(layer.cell, 2.0**-12))))
    states = ((sequence_lstm.HIDDEN, "hidden", made.quantization),
              (sequence_lstm.CELL, "cell", _scaled(2.0 ** (power - 15))))  # fmt: skip
    for place, kind, scaled in states:
        operator.inputs[place] = objects.tensor(
            graph, f"{prefix}/{kind}", layer.state_shape, "int16", scaled, variable=True
        )
    return operator


def _scaled(scale: float) -> Any:
    made = objects.module().QuantizationParametersT()
    made.scale, made.zeroPoint = [scale], [0]
    return made
