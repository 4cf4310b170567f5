# SPDX-License-Identifier: Apache-2.0
"""Builds .tflite files for tests from a compact description.

    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8, 8, 3), "int8", scale=0.5, zero_point=-3)
    w = graph.constant(weights, scale=scales, axis=0)          # numpy int8; dtype="int4" packs nibbles
    y = graph.tensor((1, 8, 8, 4), "int8", scale=0.25)
    graph.op("CONV_2D", [x, w, None], [y], padding="SAME", stride_w=1, stride_h=1, activation="RELU")
    graph.output(y)
    data = model.build()

Options are the schema's fields in snake_case (``fused_activation_function`` may be written ``activation``).
Enumerations are given by name: padding "SAME"/"VALID", activations "NONE", "RELU", "RELU6", "RELU_N1_TO_1",
"TANH", "SIGN_BIT"; element types of options ("int32" for ``out_type``) by the names used here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

Scale = float | Sequence[float] | npt.NDArray[Any] | None
ZeroPoint = int | Sequence[int] | npt.NDArray[Any]

_CUSTOM = int(schema.BuiltinOperator.CUSTOM)
_PLACEHOLDER = 127  # stands in the old 8-bit code field for codes that do not fit
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
_REDUCERS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL")
_OPTIONS_OF = {
    **dict.fromkeys(_POOLS, "Pool2DOptions"),
    **dict.fromkeys(_REDUCERS, "ReducerOptions"),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimumOptions"),
    "L2_NORMALIZATION": "L2NormOptions",
}
_ENUM_FIELDS = {
    "padding": schema.Padding,
    "fused_activation_function": schema.ActivationFunctionType,
    "mode": schema.MirrorPadMode,
}
_TYPE_FIELDS = (
    "in_data_type",
    "out_data_type",
    "out_type",
    "output_type",
    "index_type",
    "quantized_bias_type",
)


@dataclass(frozen=True)
class TensorRef:
    """A tensor of the graph that made it."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str


def int4_bytes(values: npt.NDArray[Any]) -> bytes:
    """Values in -8..7 packed two per byte, low nibble first."""
    flat = values.astype(np.int8).reshape(-1) & 0xF
    if flat.size % 2:
        flat = np.append(flat, 0)
    return (flat[0::2] | (flat[1::2] << 4)).astype(np.uint8).tobytes()


@dataclass
class GraphBuilder:
    """One subgraph. Methods return references to give to ``op``."""

    model: ModelBuilder
    name: str
    tensors: list[schema.TensorT] = field(default_factory=list)
    operators: list[schema.OperatorT] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str,
        scale: Scale = None,
        zero_point: ZeroPoint = 0,
        *,
        axis: int = 0,
        name: str = "",
        variable: bool = False,
        data: bytes | None = None,
        signature: Sequence[int] | None = None,
    ) -> TensorRef:
        """An activation, or a constant where ``data`` is given. ``scale`` may be a list along ``axis``."""
        stored = schema.TensorT()
        stored.shape = [int(extent) for extent in shape]
        stored.shapeSignature = None if signature is None else [int(extent) for extent in signature]
        stored.type = getattr(schema.TensorType, dtype.upper())
        stored.name = name or f"{self.name}_t{len(self.tensors)}"
        stored.isVariable = variable
        stored.buffer = 0 if data is None else self.model.buffer(data)
        stored.quantization = _quantization(scale, zero_point, axis)
        self.tensors.append(stored)
        return TensorRef(len(self.tensors) - 1, stored.name, tuple(stored.shape), dtype)

    def input(
        self, shape: Sequence[int], dtype: str, scale: Scale = None, zero_point: ZeroPoint = 0, **rest: Any
    ) -> TensorRef:
        """A tensor that is an input of the graph."""
        ref = self.tensor(shape, dtype, scale, zero_point, **rest)
        self.inputs.append(ref.index)
        return ref

    def constant(
        self,
        values: npt.ArrayLike,
        scale: Scale = None,
        zero_point: ZeroPoint = 0,
        *,
        dtype: str | None = None,
        axis: int = 0,
        name: str = "",
    ) -> TensorRef:
        """A constant; its type is that of the array, or ``dtype`` ("int4" packs)."""
        array = np.asarray(values)
        kind = dtype or array.dtype.name
        raw = int4_bytes(array) if kind == "int4" else np.ascontiguousarray(array.astype(kind)).tobytes()
        return self.tensor(array.shape, kind, scale, zero_point, axis=axis, name=name, data=raw)

    def output(self, *refs: TensorRef) -> None:
        """Lists tensors as outputs of the graph."""
        self.outputs.extend(ref.index for ref in refs)

    def op(
        self,
        name: str,
        inputs: Sequence[TensorRef | None],
        outputs: Sequence[TensorRef],
        *,
        version: int = 1,
        custom_options: bytes | None = None,
        intermediates: Sequence[TensorRef] = (),
        **options: Any,
    ) -> None:
        """An operator by its builtin name; a name that is not a builtin's is a custom operator."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.model.operator_code(name, version)
        operator.inputs = [-1 if ref is None else ref.index for ref in inputs]
        operator.outputs = [ref.index for ref in outputs]
        operator.intermediates = [ref.index for ref in intermediates] or None
        if custom_options is not None:
            operator.customOptions = list(custom_options)
        _set_options(operator, name, options)
        self.operators.append(operator)

    def _packed(self) -> schema.SubGraphT:
        packed = schema.SubGraphT()
        packed.name = self.name
        packed.tensors = self.tensors
        packed.operators = self.operators
        packed.inputs = self.inputs
        packed.outputs = self.outputs
        return packed


class ModelBuilder:
    """A whole model. The first graph made is the main one."""

    def __init__(self, description: str = "test") -> None:
        self.description = description
        self.graphs: list[GraphBuilder] = []
        self._buffers: list[bytes] = [b""]
        self._codes: list[tuple[str, int]] = []
        self._signatures: list[tuple[str, int, dict[str, TensorRef], dict[str, TensorRef]]] = []
        self._metadata: dict[str, bytes] = {}

    def graph(self, name: str = "") -> GraphBuilder:
        """Adds a subgraph."""
        made = GraphBuilder(self, name or ("main" if not self.graphs else f"sub{len(self.graphs)}"))
        self.graphs.append(made)
        return made

    def signature(
        self, key: str, inputs: dict[str, TensorRef], outputs: dict[str, TensorRef], subgraph: int = 0
    ) -> None:
        """Adds a signature: names for a subgraph's inputs and outputs."""
        self._signatures.append((key, subgraph, inputs, outputs))

    def metadata(self, name: str, data: bytes) -> None:
        self._metadata[name] = data

    def buffer(self, data: bytes) -> int:
        self._buffers.append(data)
        return len(self._buffers) - 1

    def operator_code(self, name: str, version: int) -> int:
        if (name, version) not in self._codes:
            self._codes.append((name, version))
        return self._codes.index((name, version))

    def build(self) -> bytes:
        """The .tflite file."""
        packed = schema.ModelT()
        packed.version = 3
        packed.description = self.description
        packed.operatorCodes = [_operator_code(name, version) for name, version in self._codes]
        packed.subgraphs = [graph._packed() for graph in self.graphs]
        packed.metadata = [self._packed_metadata(name, data) for name, data in self._metadata.items()]
        packed.signatureDefs = [_signature(*signature) for signature in self._signatures]
        packed.buffers = [_buffer(data) for data in self._buffers]
        builder = flatbuffers.Builder(1024)
        builder.Finish(packed.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _packed_metadata(self, name: str, data: bytes) -> schema.MetadataT:
        packed = schema.MetadataT()
        packed.name = name
        packed.buffer = self.buffer(data)
        return packed


def _quantization(scale: Scale, zero_point: ZeroPoint, axis: int) -> schema.QuantizationParametersT | None:
    if scale is None:
        return None
    scales = np.atleast_1d(np.asarray(scale, dtype=np.float32))
    packed = schema.QuantizationParametersT()
    packed.scale = scales
    packed.zeroPoint = np.broadcast_to(np.asarray(zero_point, dtype=np.int64), scales.shape).copy()
    packed.quantizedDimension = axis
    return packed


def _operator_code(name: str, version: int) -> schema.OperatorCodeT:
    packed = schema.OperatorCodeT()
    code = getattr(schema.BuiltinOperator, name, None)
    packed.version = version
    packed.builtinCode = _CUSTOM if code is None else code
    packed.deprecatedBuiltinCode = min(packed.builtinCode, _PLACEHOLDER)
    packed.customCode = name if code is None else None
    return packed


def _buffer(data: bytes) -> schema.BufferT:
    packed = schema.BufferT()
    packed.data = np.frombuffer(data, dtype=np.uint8) if data else None
    return packed


def _signature(
    key: str, subgraph: int, inputs: dict[str, TensorRef], outputs: dict[str, TensorRef]
) -> schema.SignatureDefT:
    packed = schema.SignatureDefT()
    packed.signatureKey = key
    packed.subgraphIndex = subgraph
    packed.inputs = [_tensor_map(name, ref) for name, ref in inputs.items()]
    packed.outputs = [_tensor_map(name, ref) for name, ref in outputs.items()]
    return packed


def _tensor_map(name: str, ref: TensorRef) -> schema.TensorMapT:
    packed = schema.TensorMapT()
    packed.name = name
    packed.tensorIndex = ref.index
    return packed


def _options_class(name: str) -> str:
    """ "DEPTHWISE_CONV_2D" -> "DepthwiseConv2DOptions", by the schema's own spelling."""
    if name in _OPTIONS_OF:
        return _OPTIONS_OF[name]
    plain = name.replace("_", "").lower() + "options"
    known = {key.lower(): key for key in vars(schema.BuiltinOptions) if not key.startswith("_")}
    return known.get(plain, "")


def _set_options(operator: schema.OperatorT, name: str, options: dict[str, Any]) -> None:
    options_class = _options_class(name) if hasattr(schema.BuiltinOperator, name) else ""
    if not options_class:
        if options:
            raise TypeError(f"{name} has no options table, got {sorted(options)}")
        return
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_class)
    packed = getattr(schema, options_class + "T")()
    for key, value in options.items():
        field_name = "fused_activation_function" if key == "activation" else key
        attribute = re.sub(r"_(\w)", lambda match: match.group(1).upper(), field_name)
        if not hasattr(packed, attribute):
            raise TypeError(f"{options_class} has no field {attribute}")
        setattr(packed, attribute, _option_value(field_name, value))
    operator.builtinOptions = packed


def _option_value(field_name: str, value: Any) -> Any:
    if isinstance(value, str) and field_name in _ENUM_FIELDS:
        return getattr(_ENUM_FIELDS[field_name], value)
    if isinstance(value, str) and field_name in _TYPE_FIELDS:
        return getattr(schema.TensorType, value.upper())
    return value
