# SPDX-License-Identifier: Apache-2.0
"""What a .tflite is, as far as conversion cares: how it is quantized, its inputs and outputs, its weights.

Needs numpy and our own reader, no TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import msgspec
import numpy as np

from tinyserve.bundle import TensorInfo, WeightStatistics
from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Tensor
from tinyserve.compiler.passes import dead_code, lookup_tables
from tinyserve.compiler.passes.load import load, parse_attributes
from tinyserve.convert.quantize.signal_front import is_feature
from tinyserve.errors import ModelError, UnsupportedError
from tinyserve.words import counted

Scheme = Literal["float32", "int8", "int16x8"]
_WEIGHTS = (DType.FLOAT32, DType.INT8, DType.INT16, DType.INT4, DType.UINT8)
_INTEGERS = (DType.INT8, DType.INT16, DType.UINT8, DType.INT4)


@dataclass(frozen=True)
class Inspected:
    """A .tflite that was read and found sound."""

    data: bytes
    model: Model
    scheme: Scheme
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    ops: dict[str, int]


def inspect(data: bytes, where: str) -> Inspected:
    """Reads and classifies a .tflite. ``where`` names it in messages.

    Raises ModelError where it is damaged or has weights that are not finite, UnsupportedError where it mixes
    integer weights with float activations (dynamic-range quantization), which no microcontroller engine runs.
    """
    model = _read(data, where)
    _check_finite(model, where)
    _refuse_half_precision(model, where)
    _refuse_hybrid(model, where)
    graph = model.main
    return Inspected(
        data=data,
        model=model,
        scheme=_scheme(graph),
        inputs=[_info(t, name) for t, name in zip(graph.inputs, graph.input_names, strict=True)],
        outputs=[_info(t, name) for t, name in zip(graph.outputs, graph.output_names, strict=True)],
        ops=dict(sorted(Counter(node.name for node in graph.nodes).items())),
    )


def with_dtypes(model: Inspected, dtypes: Sequence[str]) -> Inspected:
    """The model whose inputs say what they are in the source (see ``TensorInfo.source_dtype``)."""
    pairs = zip(model.inputs, dtypes or [""] * len(model.inputs), strict=True)
    inputs = [msgspec.structs.replace(info, source_dtype=dtype) for info, dtype in pairs]
    return replace(model, inputs=inputs)


def with_forms(
    model: Inspected, inputs: Sequence[Sequence[int]], outputs: Sequence[Sequence[int]]
) -> Inspected:
    """The model whose inputs and outputs say how they lie in the source (see ``TensorInfo.form``); empty
    lists where nothing is moved."""
    if not inputs and not outputs:
        return model
    return replace(
        model,
        inputs=[_with_form(info, form) for info, form in zip(model.inputs, inputs, strict=True)],
        outputs=[_with_form(info, form) for info, form in zip(model.outputs, outputs, strict=True)],
    )


def _with_form(info: TensorInfo, form: Sequence[int]) -> TensorInfo:
    moved = list(form) != list(range(len(info.shape)))
    return msgspec.structs.replace(info, form=list(form) if moved else [])


def entries(data: bytes, where: str) -> dict[str, int]:
    """By signature the number of its subgraph. Raises ModelError where the file is damaged."""
    return dict(_read(data, where).signatures)


def contradiction(data: bytes) -> str | None:
    """What is wrong with a file that can be read but whose operators' tensors do not fit each other."""
    try:
        load(data)
    except UnsupportedError:
        return None
    except ModelError as error:
        return error.message
    return None


def quantized_for_phones(data: bytes, where: str) -> str:
    """How a file is quantized that only LiteRT runs: dynamic-range, or with uint8; '' for others."""
    model = _read(data, where)
    if any(_is_hybrid(node) for graph in model.graphs for node in graph.nodes):
        return "dynamic-range quantized (integer weights, float activations)"
    computing = [node for node in model.main.nodes if node.name not in _CONVERSIONS]
    written = [tensor for node in computing for tensor in node.outputs]
    if any(tensor.dtype is DType.UINT8 and tensor.quantization is not None for tensor in written):
        return "quantized to uint8"
    return ""


def fake_quantizations(data: bytes, where: str) -> int:
    """How many operators quantize what the next one makes float again, in a file that computes in floats
    alone: what training with fake quantization leaves that was exported without optimization. 0 for others.
    """
    graph = _read(data, where).main
    integers = [
        tensor
        for tensor in graph.tensors
        if tensor.quantization is not None and not tensor.is_constant and tensor.dtype in _INTEGERS
    ]
    to = [node for node in graph.nodes if node.name == "QUANTIZE"]
    fro = [node for node in graph.nodes if node.name == "DEQUANTIZE"]
    rest = [node for node in graph.nodes if node.name not in _CONVERSIONS]
    made = {id(node.output) for node in to if _is_real(node.inputs[0])}
    read = {id(node.inputs[0]) for node in fro if _is_real(node.output)}
    ends = {id(tensor) for tensor in (*graph.inputs, *graph.outputs)}
    used = {id(tensor) for node in rest for tensor in (*node.inputs, *node.outputs)}
    inside = {id(tensor) for tensor in integers}
    return len(to) if rest and inside and inside <= made & read and not inside & (ends | used) else 0


def _is_real(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype is DType.FLOAT32


def has_half_precision(data: bytes, where: str) -> bool:
    """Whether any tensor is float16. Raises ModelError where the file is damaged."""
    model = _read(data, where)
    return any(tensor.dtype is DType.FLOAT16 for graph in model.graphs for tensor in graph.tensors)


def _read(data: bytes, where: str) -> Model:
    try:
        return reader.read(data)
    except ModelError as error:
        raise type(error)(f"{where}: {error.message}", error.hint) from error


def weights(model: Model) -> list[WeightStatistics]:
    """Of every constant of rank 2 or more that an operator computes with, in the model's order; not of what
    variables begin with."""
    found: dict[int, WeightStatistics] = {}
    for graph in model.graphs:
        computing = [node for node in graph.nodes if not any(t.is_variable for t in node.outputs)]
        for tensor in (tensor for node in computing for tensor in node.inputs if tensor is not None):
            if tensor.data is None or tensor.data.ndim < 2 or tensor.dtype not in _WEIGHTS:
                continue
            if id(tensor) not in found:
                found[id(tensor)] = WeightStatistics(
                    name=tensor.name,
                    dtype=tensor.dtype.value,
                    elements=int(tensor.data.size),
                    zeros=int(tensor.data.size - np.count_nonzero(tensor.data)),
                    distinct=len(np.unique(tensor.data)),
                )
    return list(found.values())


def left_in_float(model: Model) -> list[Node]:
    """Operators that compute in float32; features are meant to."""
    nodes = [node for graph in model.graphs for node in graph.nodes]
    computing = [node for node in nodes if node.name not in _CONVERSIONS and not is_feature(node)]
    return [node for node in computing if any(tensor.dtype is DType.FLOAT32 for tensor in node.outputs)]


def as_compiled(data: bytes) -> Model:
    """The model with the tables that the compiler makes of functions of one int8 value."""
    model = reader.read(data)
    parse_attributes(model)
    for graph in model.graphs:
        lookup_tables.run(graph, model)
        while dead_code.run(graph, model):
            pass
    return model


_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})


class _Shaped(Protocol):
    @property
    def shape(self) -> Sequence[int]: ...


def mlperf_id(inputs: Sequence[_Shaped], outputs: Sequence[_Shaped]) -> str:
    """The MLPerf Tiny model id whose input and output shapes these are, or ''."""
    if len(inputs) != 1 or len(outputs) != 1:
        return ""
    return _MLPERF.get((tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])), "")


_MLPERF: dict[tuple[tuple[int, ...], tuple[int, ...]], str] = {
    ((640,), (640,)): "ad01",
    ((49, 10, 1), (12,)): "kws01",
    ((32, 32, 3), (10,)): "ic01",
    ((96, 96, 3), (2,)): "vww01",
    ((30, 1, 40), (3,)): "sww01",
}


def _info(tensor: Tensor, name: str) -> TensorInfo:
    quantization = tensor.quantization if tensor.dtype in _INTEGERS else None
    several = quantization is not None and quantization.per_channel
    if quantization is not None and several and quantization.axis != len(tensor.shape) - 1:
        quantization = None  # weights given as an input, channels first: as the integers that they are
    return TensorInfo(
        name=name,
        shape=list(tensor.shape),
        dtype=tensor.dtype.value,
        scale=quantization.scale if quantization else 0.0,
        zero_point=quantization.zero_point if quantization else 0,
        scales=list(quantization.scales) if quantization and several else [],
        zero_points=list(quantization.zero_points) if quantization and several else [],
    )


def _scheme(graph: Graph) -> Scheme:
    """By the quantized activations; constants and plain integers (indices, shapes) do not count."""
    found = {
        tensor.dtype
        for tensor in graph.tensors
        if tensor.quantization is not None and not tensor.is_constant and tensor.dtype in _INTEGERS
    }
    if DType.INT8 in found or DType.UINT8 in found:
        return "int8"
    return "int16x8" if DType.INT16 in found else "float32"


def _check_finite(model: Model, where: str) -> None:
    for graph in model.graphs:
        for tensor in graph.tensors:
            if (
                tensor.data is not None
                and tensor.dtype is DType.FLOAT32
                and not np.isfinite(tensor.data).all()
            ):
                bad = int(np.count_nonzero(~np.isfinite(tensor.data)))
                raise ModelError(
                    f'{where}: the weights "{tensor.name}" hold '
                    f"{counted(bad, 'value that is', 'values that are')} NaN or infinite",
                    "training diverged: take an earlier checkpoint, or train with a lower learning rate",
                )


def _refuse_half_precision(model: Model, where: str) -> None:
    halves = [
        t for graph in model.graphs for t in graph.tensors if t.dtype in (DType.FLOAT16, DType.BFLOAT16)
    ]
    if halves:
        raise UnsupportedError(
            f"{where}: {counted(len(halves), 'tensor is', 'tensors are')} of half precision, "
            f'first "{halves[0].name}"; '
            "microcontroller kernels compute in float32 or integers",
            "convert the original model, or export it again without the float16 optimization",
        )


def _refuse_hybrid(model: Model, where: str) -> None:
    hybrid = [node for graph in model.graphs for node in graph.nodes if _is_hybrid(node)]
    if hybrid:
        raise UnsupportedError(
            f"{where}: dynamic-range quantized: "
            f"{counted(len(hybrid), 'operator has', 'operators have')} integer weights but float "
            f"activations, first {hybrid[0].location}. Such a model quantizes its activations again in every "
            "inference, which microcontroller kernels do not do",
            "convert the original model again with --representative DATA for full-integer int8",
        )


def _is_hybrid(node: Node) -> bool:
    if node.name == "DEQUANTIZE":
        return False
    tensors = [tensor for tensor in node.inputs if tensor is not None]
    return any(t.dtype is DType.FLOAT32 and not t.is_constant for t in tensors) and any(
        t.is_constant and t.quantization is not None and t.dtype in _INTEGERS for t in tensors
    )
