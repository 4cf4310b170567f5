# SPDX-License-Identifier: Apache-2.0
"""Writes .tflite files operator by operator, for front ends whose models no converter knows. Worker process
only: the file's schema comes with LiteRT, or with TensorFlow.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import objects
from tinyserve.compiler.graph.types import Quantization

Array = npt.NDArray[Any]
_VERSION = 3
_FIRST = {"BROADCAST_TO": 2}
"""The first version that LiteRT registers, where that is not 1."""


class GraphWriter:
    """One graph. Methods return the number of a tensor, which operators and ``build`` take."""

    def __init__(self, description: str) -> None:
        self._schema = objects.module()
        self._model = self._schema.ModelT()
        self._model.version, self._model.description = _VERSION, description
        self._model.buffers = [self._schema.BufferT()]  # the first is empty by convention
        self._model.operatorCodes = []
        self._graph = self._new_graph("main")
        self._model.subgraphs = [self._graph]
        self._names: tuple[list[str], list[str]] | None = None

    def subgraph(self, name: str) -> tuple[int, GraphWriter]:
        """A further graph of the same file, for control flow, and its number. ``finish`` ends it."""
        inner = copy.copy(self)
        inner._graph = self._new_graph(name)
        self._model.subgraphs.append(inner._graph)
        return len(self._model.subgraphs) - 1, inner

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """The inputs and outputs of a graph."""
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)

    def metadata(self, name: str, data: bytes) -> None:
        """Bytes that the file keeps under a name."""
        objects.set_metadata(self._model, name, data)

    def adopt_tensor(self, tensor: Any) -> int:
        """A ``TensorT`` as it is."""
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def twin(self, other: GraphWriter, index: int) -> int:
        """A tensor like one of another graph of this file."""
        tensor = copy.copy(other._graph.tensors[index])
        return self.adopt_tensor(tensor)

    def adopt_buffer(self, buffer: Any) -> int:
        """The number of a ``BufferT`` in this file."""
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1

    def adopt_operator(self, operator: Any, code: Any) -> None:
        """An ``OperatorT`` whose tensors are of this graph, with its ``OperatorCodeT``."""
        self._model.operatorCodes.append(code)
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        self._graph.operators.append(operator)

    def _new_graph(self, name: str) -> Any:
        graph = self._schema.SubGraphT()
        graph.name = name
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        return graph

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        quantization: Quantization | None = None,
        *,
        variable: bool = False,
    ) -> int:
        """A value that is computed, an input, or a variable (state that starts as zeros)."""
        stored = self._stored(quantization)
        return objects.tensor(self._graph, name, shape, dtype, stored, variable=variable)

    def constant(self, name: str, values: Array, quantization: Quantization | None = None) -> int:
        """A tensor that is known, of the array's type."""
        return objects.constant(self._model, self._graph, name, values, self._stored(quantization))

    def _stored(self, quantization: Quantization | None) -> Any:
        if quantization is None:
            return None
        stored = self._schema.QuantizationParametersT()
        stored.scale, stored.zeroPoint = list(quantization.scales), list(quantization.zero_points)
        stored.quantizedDimension = quantization.axis
        return stored

    def builtin(
        self, name: str, options: str, inputs: Sequence[int], output: int | Sequence[int], **fields: float
    ) -> None:
        """One of TFLite's operators; ``options`` is the schema's table that holds ``fields``."""
        operator = objects.operator(
            self._model, name, list(inputs), _numbers(output), options, version=_FIRST.get(name, 1)
        )
        for field, value in fields.items():
            setattr(operator.builtinOptions, field, value)
        self._graph.operators.append(operator)

    def custom(
        self, name: str, inputs: Sequence[int], output: int | Sequence[int], options: Mapping[str, float]
    ) -> None:
        """An operator that TFLite does not have."""
        flexbuffers = importlib.import_module("flatbuffers.flexbuffers")
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = self._schema.BuiltinOperator.CUSTOM
        code.customCode, code.version = name, 1
        self._model.operatorCodes.append(code)
        operator = self._schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), _numbers(output)
        operator.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(dict(options))), np.uint8)
        self._graph.operators.append(operator)

    def signature(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Names of the inputs and outputs, in the order in which ``build`` gets them."""
        self._names = (list(inputs), list(outputs))

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        self.finish(inputs, outputs)
        if self._names is not None:
            signature = self._schema.SignatureDefT()
            signature.signatureKey, signature.subgraphIndex = "serving_default", 0
            signature.inputs = self._named(self._names[0], inputs)
            signature.outputs = self._named(self._names[1], outputs)
            self._model.signatureDefs = [signature]
        return objects.pack(self._model)

    def _named(self, names: Sequence[str], tensors: Sequence[int]) -> list[Any]:
        entries = []
        for name, tensor in zip(names, tensors, strict=True):
            entry = self._schema.TensorMapT()
            entry.name, entry.tensorIndex = name, tensor
            entries.append(entry)
        return entries


def _numbers(output: int | Sequence[int]) -> list[int]:
    return [output] if isinstance(output, int) else list(output)
