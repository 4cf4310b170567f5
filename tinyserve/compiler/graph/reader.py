# SPDX-License-Identifier: Apache-2.0
"""Reads a .tflite file into the typed graph. Anything wrong with the file ends in ModelError."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import option_fields, schema, sniff, validate
from tinyserve.compiler.graph.builtin_options import FileOptions
from tinyserve.compiler.graph.flatbuffer import FlatBuffer, Table
from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Quantization, Tensor
from tinyserve.errors import ModelError, UnsupportedError

_EXPORT = "export the model again with a current converter"
_MAX_RANK = 8
_MAX_ELEMENTS = 2**31 - 1


def read(data: bytes) -> Model:
    """Reads and validates a .tflite file.

    Constants are read-only views of ``data`` where their type allows. Raises ModelError where the file is not
    TFLite, damaged or contradicts itself, UnsupportedError where it stores tensors in a way that nothing
    later understands (sparse, blockwise quantized, external).
    """
    data = bytes(data)
    if data[4:8] != schema.FILE_IDENTIFIER or len(data) < 16:
        raise sniff.wrong_file(data) if data[4:8] != schema.FILE_IDENTIFIER else _truncated(data)
    model = _Reader(data).model()
    validate.validate(model)
    return model


def _truncated(data: bytes) -> ModelError:
    return ModelError(f"the .tflite file ends after {len(data)} bytes", "copy or export it again")


@dataclass(frozen=True)
class _OperatorCode:
    name: str
    custom: bool
    version: int


class _Reader:
    """One pass over one file. ``problems`` gathers what is valid but unsupported, to be reported at once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.buffer = FlatBuffer(data)
        self.problems: list[str] = []
        self.buffers: list[memoryview] = []
        self.codes: list[_OperatorCode] = []

    def model(self) -> Model:
        field = schema.ModelField
        root = self.buffer.root("model")
        version = root.scalar(field.VERSION, "I", 0)
        if version != schema.VERSION:
            raise ModelError(f"TFLite schema version {version}, expected {schema.VERSION}", _EXPORT)
        self.buffers = [self._buffer(table) for table in root.tables(field.BUFFERS, "buffer")]
        self.codes = [_operator_code(table) for table in root.tables(field.OPERATOR_CODES, "operator code")]
        subgraphs = root.tables(field.SUBGRAPHS, "subgraph")
        if not subgraphs:
            raise ModelError("the model has no subgraph", _EXPORT)
        graphs = [self._graph(table, index) for index, table in enumerate(subgraphs)]
        signatures = _name_by_signature(root, graphs)
        if self.problems:
            raise UnsupportedError(
                "tensors are stored in ways that tinyserve does not read:\n  " + "\n  ".join(self.problems),
                "convert without sparsity, blockwise quantization or external weights",
            )
        return Model(
            graphs=graphs,
            description=root.string(field.DESCRIPTION),
            sha256=hashlib.sha256(self.data).hexdigest(),
            metadata=self._metadata(root),
            signatures=signatures,
        )

    def _buffer(self, table: Table) -> memoryview:
        field = schema.BufferField
        offset = table.scalar(field.OFFSET, "Q", 0)
        if offset > 1:  # 0 and 1 mean that the data is inside the FlatBuffer
            size = table.scalar(field.SIZE, "Q", 0)
            self.buffer.check(offset, size, table.what)
            return memoryview(self.data)[offset : offset + size]
        stored = table.numbers(field.DATA, "u1")
        return memoryview(b"") if stored is None else stored.data

    def _buffer_at(self, index: int, what: str) -> memoryview:
        if index >= len(self.buffers):
            raise ModelError(f"{what} uses buffer {index} of {len(self.buffers)}", _EXPORT)
        return self.buffers[index]

    def _metadata(self, root: Table) -> dict[str, bytes]:
        field = schema.MetadataField
        metadata = {}
        for entry in root.tables(schema.ModelField.METADATA, "metadata"):
            view = self._buffer_at(entry.scalar(field.BUFFER, "I", 0), entry.what)
            self.buffer.charge(len(view), entry.what)
            metadata[entry.string(field.NAME)] = bytes(view)
        return metadata

    def _graph(self, table: Table, index: int) -> Graph:
        field = schema.SubGraphField
        where = f"subgraph {index}" if index else "main graph"
        tables = table.tables(field.TENSORS, f"{where}: tensor")
        tensors = [self._tensor(tensor, number) for number, tensor in enumerate(tables)]
        nodes = [
            self._node(node, number, tensors)
            for number, node in enumerate(table.tables(field.OPERATORS, f"{where}: operator"))
        ]
        inputs = _required(tensors, table.integers(field.INPUTS) or (), f"{where}: inputs")
        outputs = _required(tensors, table.integers(field.OUTPUTS) or (), f"{where}: outputs")
        _mark_empty_constants(tensors, nodes, inputs)
        return Graph(
            name=table.string(field.NAME) or where,
            tensors=tensors,
            nodes=nodes,
            inputs=inputs,
            outputs=outputs,
            input_names=[tensor.name for tensor in inputs],
            output_names=[tensor.name for tensor in outputs],
        )

    def _tensor(self, table: Table, index: int) -> Tensor:
        field = schema.TensorField
        name = table.string(field.NAME)
        what = f'{table.what} "{name}"'
        code = table.scalar(field.TYPE, "b", 0)
        if not 0 <= code < len(schema.TENSOR_TYPES):
            raise ModelError(f"{what}: unknown element type {code}", _EXPORT)
        dtype = schema.TENSOR_TYPES[code]
        shape = _shape(table.integers(field.SHAPE) or (), what)
        if table.has(field.SPARSITY):
            self.problems.append(f"{what}: sparse")
        if table.scalar(field.EXTERNAL_BUFFER, "I", 0):
            self.problems.append(f"{what}: in an external file")
        tensor = Tensor(index, name, shape, dtype, is_variable=bool(table.scalar(field.IS_VARIABLE, "B", 0)))
        raw = self._buffer_at(table.scalar(field.BUFFER, "I", 0), what)
        tensor.quantization = self._quantization(
            table.table(field.QUANTIZATION, f"{what}: quantization"), tensor, is_constant=len(raw) > 0
        )
        if len(raw) and not table.has(field.SPARSITY):
            tensor.data = self._constant(raw, tensor, what)
            tensor.is_variable = False
        return tensor

    def _constant(self, raw: memoryview, tensor: Tensor, what: str) -> npt.NDArray[Any]:
        if tensor.dtype is DType.INT4:
            return self._unpack_int4(raw, tensor, what)
        if tensor.dtype.itemsize == 0:  # strings and the like: kept as they are, refused later by name
            return np.frombuffer(raw, dtype=np.uint8)
        if len(raw) < tensor.nbytes:
            raise _wrong_size(what, tensor, len(raw), tensor.nbytes)
        values = np.frombuffer(raw, dtype=tensor.dtype.numpy.newbyteorder("<"), count=tensor.elements)
        if tensor.dtype is DType.BOOL:
            self.buffer.charge(tensor.nbytes, what)
            values = np.frombuffer(raw, dtype=np.uint8, count=tensor.elements) != 0
        return values.reshape(tensor.shape)

    def _unpack_int4(self, raw: memoryview, tensor: Tensor, what: str) -> npt.NDArray[Any]:
        """Two's complement nibbles, low first, padded to a whole byte at the end of the tensor."""
        count = tensor.elements
        if len(raw) < (count + 1) // 2:
            raise _wrong_size(what, tensor, len(raw), (count + 1) // 2)
        self.buffer.charge(count, what)
        packed = np.frombuffer(raw, dtype=np.int8, count=(count + 1) // 2)
        values = np.empty(2 * packed.size, dtype=np.int8)
        values[0::2] = np.left_shift(packed, 4) >> 4
        values[1::2] = packed >> 4
        return values[:count].reshape(tensor.shape)

    def _quantization(self, table: Table | None, tensor: Tensor, is_constant: bool) -> Quantization | None:
        if table is None:
            return None
        field = schema.QuantizationField
        if table.scalar(field.DETAILS_TYPE, "B", schema.DETAILS_NONE) != schema.DETAILS_NONE:
            self.problems.append(f"{table.what}: custom or blockwise")
            return None
        scales = table.floats(field.SCALE) or ()
        if not scales:
            return None
        zero_points = table.integers64(field.ZERO_POINT) or (0,) * len(scales)
        # Of an activation's, and where the file has fewer than scales, the first one is read.
        first = (zero_points or (0,))[:1]
        zero_points = (zero_points + first * len(scales))[: len(scales)]
        quantization = Quantization(scales, zero_points, table.scalar(field.QUANTIZED_DIMENSION, "i", 0))
        return replace(quantization, problem=validate.quantization_problem(quantization, tensor, is_constant))

    def _node(self, table: Table, index: int, tensors: list[Tensor]) -> Node:
        field = schema.OperatorField
        code_index = table.scalar(field.OPCODE_INDEX, "I", 0)
        if code_index >= len(self.codes):
            raise ModelError(f"{table.what}: operator code {code_index} of {len(self.codes)}", _EXPORT)
        code = self.codes[code_index]
        what = f"{table.what} ({code.name})"
        return Node(
            index=index,
            name=code.name,
            inputs=_optional(tensors, table.integers(field.INPUTS) or (), f"{what}: inputs"),
            outputs=_required(tensors, table.integers(field.OUTPUTS) or (), f"{what}: outputs"),
            options=self._options(table, code, what),
            custom=code.custom,
            version=code.version,
            intermediates=_required(
                tensors, table.integers(field.INTERMEDIATES) or (), f"{what}: intermediates"
            ),
        )

    def _options(self, table: Table, code: _OperatorCode, what: str) -> FileOptions:
        field = schema.OperatorField
        if code.custom:
            return FileOptions(None, custom=self._custom_options(table, what))
        fields = option_fields.FIELDS.get(code.name, ())
        kind = table.scalar(field.BUILTIN_OPTIONS_TYPE, "B", 0)
        options = table.table(field.BUILTIN_OPTIONS, f"{what}: options")
        if options is None or kind == 0:
            return FileOptions(table.table(field.BUILTIN_OPTIONS_2, f"{what}: options"), fields)
        expected = schema.OPTIONS_TYPES.get(code.name)
        if expected is not None and kind != expected:
            raise ModelError(
                f"{what}: has the options of another operator (type {kind}, not {expected})", _EXPORT
            )
        return FileOptions(options if expected is not None else None, fields)

    def _custom_options(self, table: Table, what: str) -> bytes:
        field = schema.OperatorField
        offset = table.scalar(field.LARGE_CUSTOM_OPTIONS_OFFSET, "Q", 0)
        if offset > 1:
            size = table.scalar(field.LARGE_CUSTOM_OPTIONS_SIZE, "Q", 0)
            self.buffer.check(offset, size, f"{what}: custom options")
            raw = self.data[offset : offset + size]
        else:
            stored = table.numbers(field.CUSTOM_OPTIONS, "u1")
            raw = b"" if stored is None else stored.tobytes()
        self.buffer.charge(len(raw), what)
        return raw


def _operator_code(table: Table) -> _OperatorCode:
    """The larger of the two code fields counts: old files have only the first, which ends at 127."""
    field = schema.OperatorCodeField
    code = max(
        table.scalar(field.DEPRECATED_BUILTIN_CODE, "b", 0),
        table.scalar(field.BUILTIN_CODE, "i", 0),
    )
    version = table.scalar(field.VERSION, "i", 1)
    if code == schema.CUSTOM_OPERATOR:
        name = table.string(field.CUSTOM_CODE)
        if not name:
            raise ModelError(f"{table.what}: a custom operator without a name", _EXPORT)
        return _OperatorCode(name, True, version)
    if code < 0:
        raise ModelError(f"{table.what}: builtin operator {code}", _EXPORT)
    known = code < len(schema.BUILTIN_NAMES)
    return _OperatorCode(schema.BUILTIN_NAMES[code] if known else f"BUILTIN_{code}", False, version)


def _shape(shape: tuple[int, ...], what: str) -> tuple[int, ...]:
    if len(shape) > _MAX_RANK:
        raise ModelError(f"{what}: rank {len(shape)} is beyond {_MAX_RANK}", _EXPORT)
    if any(extent < 0 for extent in shape):
        raise ModelError(
            f"{what}: shape {list(shape)} is not static", "export with a fixed input shape and batch 1"
        )
    if math.prod(max(extent, 1) for extent in shape) > _MAX_ELEMENTS:
        raise ModelError(f"{what}: shape {list(shape)} has too many elements", _EXPORT)
    return shape


def _wrong_size(what: str, tensor: Tensor, found: int, needed: int) -> ModelError:
    return ModelError(
        f"{what}: {found} bytes of data, shape {list(tensor.shape)} of {tensor.dtype.value} needs {needed}",
        _EXPORT,
    )


def _required(tensors: list[Tensor], indices: tuple[int, ...], what: str) -> list[Tensor]:
    for index in indices:
        if not 0 <= index < len(tensors):
            raise ModelError(f"{what}: tensor {index} of {len(tensors)}", _EXPORT)
    return [tensors[index] for index in indices]


def _optional(tensors: list[Tensor], indices: tuple[int, ...], what: str) -> list[Tensor | None]:
    for index in indices:
        if not -1 <= index < len(tensors):
            raise ModelError(f"{what}: tensor {index} of {len(tensors)}", _EXPORT)
    return [None if index == -1 else tensors[index] for index in indices]


def _mark_empty_constants(tensors: list[Tensor], nodes: list[Node], inputs: list[Tensor]) -> None:
    """A constant without elements has an empty buffer, as an activation has: tell it by nobody writing it."""
    written = {id(tensor) for node in nodes for tensor in node.outputs} | {id(t) for t in inputs}
    for tensor in tensors:
        if (
            tensor.data is None
            and tensor.elements == 0
            and not tensor.is_variable
            and id(tensor) not in written
        ):
            tensor.data = np.empty(tensor.shape, dtype=tensor.dtype.numpy)


def _name_by_signature(root: Table, graphs: list[Graph]) -> dict[str, int]:
    """Takes the names of inputs and outputs from the first signature of each subgraph. Returns the subgraphs'
    numbers by the signatures' names."""
    found: dict[str, int] = {}
    named: set[int] = set()
    for signature in root.tables(schema.ModelField.SIGNATURE_DEFS, "signature"):
        index = signature.scalar(schema.SignatureField.SUBGRAPH_INDEX, "I", 0)
        if index >= len(graphs):
            raise ModelError(f"{signature.what}: subgraph {index} of {len(graphs)}", _EXPORT)
        found[signature.string(schema.SignatureField.KEY)] = index
        if index in named:
            continue
        named.add(index)
        graph = graphs[index]
        inputs = _tensor_map(signature, schema.SignatureField.INPUTS)
        outputs = _tensor_map(signature, schema.SignatureField.OUTPUTS)
        graph.input_names = [inputs.get(tensor.index, tensor.name) for tensor in graph.inputs]
        graph.output_names = [outputs.get(tensor.index, tensor.name) for tensor in graph.outputs]
    return found


def _tensor_map(signature: Table, field: int) -> dict[int, str]:
    entries = signature.tables(field, f"{signature.what}: tensor name")
    names = schema.TensorMapField
    return {entry.scalar(names.TENSOR_INDEX, "I", 0): entry.string(names.NAME) for entry in entries}
