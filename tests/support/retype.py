# SPDX-License-Identifier: Apache-2.0
"""Models of one operator (the last one) from the differential tests, given other element types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tests.support.differential import Case
from tests.support.flatbuffer_builder import int4_bytes

_NAMES = {value: name.lower() for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
_QUANTIZED = ("int8", "int16", "uint8")
_TYPE_FIELDS = ("inDataType", "outDataType", "outType", "outputType")


@dataclass(frozen=True)
class Types:
    """Of the values worked on, constants among them, and of weights and bias where an operator has them."""

    values: str
    weights: str = ""
    bias: str = ""

    def __str__(self) -> str:
        parts = (self.values, self.weights and f"{self.weights} weights", self.bias and f"{self.bias} bias")
        return ", ".join(part for part in parts if part)


def value_type(case: Case) -> str:
    """The type of the values worked on: the output's where an activation or table that goes in has it, too,
    else that of the first activation."""
    return str(_NAMES[_value_type(schema.ModelT.InitFromPackedBuf(case.model, 0))])


def retyped(case: Case, types: Types, *, scale: float, weights: int | None, bias: int | None) -> Case:
    """The case with ``types``; ``weights`` and ``bias`` are inputs of the operator. Values are all 1.

    Quantized activations get this scale and a zero point of 0; there is no fused activation.
    """
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    (graph,) = model.subgraphs
    operator = graph.operators[-1]
    own, special = _value_type(model), {}
    for index, wanted in ((weights, types.weights), (bias, types.bias)):
        if index is not None and index < len(operator.inputs) and wanted:
            special[int(operator.inputs[index])] = wanted
    changed = set()
    for number, tensor in enumerate(graph.tensors):
        if number in special:
            _retype(model, number, special[number])
        elif tensor.type == own:
            _retype(model, number, types.values)
            tensor.quantization = _quantization(scale) if types.values in _QUANTIZED else None
            changed.add(number)
    if hasattr(operator.builtinOptions, "fusedActivationFunction"):
        operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
    for field in _TYPE_FIELDS:
        if hasattr(operator.builtinOptions, field):
            number = operator.inputs[0] if field == "inDataType" else operator.outputs[0]
            setattr(operator.builtinOptions, field, graph.tensors[number].type)
    sample = [
        np.ones(value.shape, types.values) if number in changed else value
        for number, value in zip(graph.inputs, case.samples[0], strict=True)
    ]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return Case(str(types), bytes(builder.Output()), [sample])


def with_four_bits(case: Case, weights: int = 1) -> Case:
    """The case with int4 weights: the upper halves of its int8 ones, and scales that make up for it."""
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    (graph,) = model.subgraphs
    _pack(model, int(graph.operators[-1].inputs[weights]))
    return _case(case, model)


def with_all_in_four_bits(case: Case, name: str) -> Case:
    """The case with int4 weights in all operators of this name."""
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    (graph,) = model.subgraphs
    code = getattr(schema.BuiltinOperator, name)
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode == code:
            _pack(model, int(operator.inputs[1]))
    return _case(case, model)


def _pack(model: Any, number: int) -> None:
    tensor = model.subgraphs[0].tensors[number]
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int8)
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.frombuffer(int4_bytes(values >> 4), np.uint8)
    tensor.buffer, tensor.type = len(model.buffers) - 1, schema.TensorType.INT4
    tensor.quantization.scale = np.asarray(tensor.quantization.scale, np.float32) * np.float32(16)


def _case(case: Case, model: Any) -> Case:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return Case(f"{case.label}, four bits", bytes(builder.Output()), case.samples)


def _value_type(model: Any) -> int:
    (graph,) = model.subgraphs
    operator = graph.operators[-1]
    inputs = [graph.tensors[number] for number in operator.inputs if number >= 0]
    activations = [tensor.type for tensor in inputs if not tensor.buffer]
    tables = [tensor.type for tensor in inputs if tensor.buffer and len(tensor.shape) > 1]
    output = graph.tensors[operator.outputs[0]].type
    return int(output if output in activations + tables or not activations else activations[0])


def _retype(model: Any, number: int, wanted: str) -> None:
    tensor = model.subgraphs[0].tensors[number]
    if tensor.buffer:
        values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), _NAMES[tensor.type])
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(_stored(values, wanted), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    tensor.type = getattr(schema.TensorType, wanted.upper())


def _stored(values: npt.NDArray[Any], wanted: str) -> bytes:
    if wanted == "int4":
        return int4_bytes(np.clip(values.astype(np.int64), -8, 7))
    small = np.clip(values.astype(np.float64), 1 if wanted.startswith("u") else -100, 100)
    return np.ascontiguousarray(small.astype(wanted)).tobytes()


def _quantization(scale: float) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint = np.array([scale], np.float32), np.array([0], np.int64)
    made.quantizedDimension = 0
    return made
