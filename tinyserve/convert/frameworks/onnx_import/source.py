# SPDX-License-Identifier: Apache-2.0
"""An ONNX file as it comes, checked, and made plain: static shapes, no functions, float32."""

from __future__ import annotations

import contextlib
import copy
import importlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve.convert.frameworks.onnx_import.naming import describe, opset
from tinyserve.convert.frameworks.onnx_import.node import HANDLERS
from tinyserve.convert.frameworks.onnx_ml import plain
from tinyserve.convert.frameworks.onnx_ml.attributes import classic_nodes
from tinyserve.convert.frameworks.tensorflow import static_shapes
from tinyserve.errors import ModelError, ToolError, UnsupportedError, UsageError
from tinyserve.escapes import visible

INSTALL = "pip install 'tinyserve[onnx]'"
_OWN = ("", "ai.onnx", "ai.onnx.ml")
_QUANTIZED = ("QLinear", "ConvInteger", "MatMulInteger", "DynamicQuantize", "QGemm", "QAttention")
_MOST_NODES = 20_000
_OLDEST_OPSET = 7
_EXPORT_QDQ = (
    "export it as QDQ (onnxruntime: quantize_static with quant_format=QuantFormat.QDQ, activation_type and "
    "weight_type QInt8), or give the float model with --representative DATA"
)

_FOLDED = frozenset({"Range", "BlackmanWindow", "HammingWindow", "HannWindow", "DynamicQuantizeLinear"})
"""Of known numbers, and known when they are converted; and what is refused."""


@dataclass(frozen=True)
class OnnxSource:
    """``model`` is a ModelProto. Inputs are those that are no constants, in the file's order. ``labels``: the
    classes of a classic classifier."""

    model: Any
    inputs: list[str]
    shapes: list[tuple[int, ...]]
    outputs: list[str]
    opset: int
    notes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


def packages() -> dict[str, str]:
    """Versions of what reads and runs ONNX. Raises ToolError with the command that installs it."""
    try:
        for name in ("onnx", "onnxruntime"):
            importlib.import_module(name)
    except ImportError as error:
        raise ToolError(f"onnx and onnxruntime are needed for ONNX models: {error}", INSTALL) from error
    return {name: importlib.metadata.version(name) for name in ("onnx", "onnxruntime")}


def read(path: Path, input_shapes: Sequence[Sequence[int]]) -> OnnxSource:
    """Raises ModelError, UnsupportedError or UsageError."""
    onnx = importlib.import_module("onnx")
    model = _checked(onnx, path)
    _check_operators(onnx, model, path)
    _check_projections(model, path)
    if model.functions:
        model = importlib.import_module("onnx.inliner").inline_local_functions(model)
    model = _spelled_out(onnx, model)
    labels = plain.labels(model)
    notes = plain.prune(model) if any(classic_nodes(model)) else []
    widen(onnx, model)
    constants = {initializer.name for initializer in model.graph.initializer}
    constants |= {sparse.values.name for sparse in model.graph.sparse_initializer}
    values = [value for value in model.graph.input if value.name not in constants]
    _check_types(onnx, [*values, *model.graph.output], path)
    names = [value.name for value in values]
    _give_ranks(values, input_shapes, str(path))
    shapes = _shapes(names, [shape_of(value) for value in values], input_shapes, str(path))
    for value, shape in zip(values, shapes, strict=True):
        _fix_shape(value, shape)
    del model.graph.value_info[:]
    outputs = [value.name for value in model.graph.output]
    return OnnxSource(model, names, shapes, outputs, opset(model) or 1, notes, labels)


def _spelled_out(onnx: Any, model: Any) -> Any:
    """The model with operators that have no form here, and which ONNX itself defines by others (Attention,
    RotaryEmbedding, CenterCropPad), written as those."""
    used = {node.op_type for node in model.graph.node if node.domain in ("", "ai.onnx")} - set(HANDLERS)
    defined = {
        schema.name
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain == "" and (schema.has_function or schema.has_context_dependent_function)
    }
    wanted = sorted((used & defined) - _FOLDED)
    if not wanted:
        return model
    names = [("", name) for name in wanted]
    inliner, typed = importlib.import_module("onnx.inliner"), copy.deepcopy(model)
    for tensor in model.graph.initializer:
        info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        typed.graph.value_info.append(info)
    try:
        typed = onnx.shape_inference.infer_shapes(typed)
        return inliner.inline_selected_functions(typed, names, inline_schema_functions=True)
    except (RuntimeError, ValueError, onnx.shape_inference.InferenceError):
        return model  # without types and shapes it may not know how: refused by name later


def _checked(onnx: Any, path: Path) -> Any:
    try:
        model = onnx.load(path)
        if not model.graph.node:
            raise ValueError("it has no nodes")
        if not model.graph.output:
            raise ValueError("its graph has no outputs")
        if len(model.graph.node) > _MOST_NODES:
            raise ValueError(f"it has {len(model.graph.node):,} nodes, of at most {_MOST_NODES:,}")
        for tensor in model.graph.initializer:
            onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)  # KeyError for a type that there is not
        with _with_ranks(model):
            onnx.checker.check_model(model)
    except Exception as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"{path}: not a sound ONNX model: {first[:300]}",
            "export it again with a current exporter, and copy it whole: external data belongs beside it",
        ) from error
    return model


@contextlib.contextmanager
def _with_ranks(model: Any) -> Iterator[None]:
    """Inputs and outputs without a shape get one meanwhile: the checker wants the field, though runtimes and
    exporters do without."""
    values = [*model.graph.input, *model.graph.output]
    shapeless = [
        value.type.tensor_type
        for value in values
        if value.type.WhichOneof("value") == "tensor_type" and not value.type.tensor_type.HasField("shape")
    ]
    for one in shapeless:
        one.shape.SetInParent()
    try:
        yield
    finally:
        for one in shapeless:
            one.ClearField("shape")


def _check_types(onnx: Any, values: Sequence[Any], path: Path) -> None:
    """Raises UnsupportedError for an input or output that is no tensor of numbers."""
    kinds = onnx.TensorProto
    odd = (kinds.UNDEFINED, kinds.STRING, kinds.COMPLEX64, kinds.COMPLEX128)
    for value in values:
        what = value.type.WhichOneof("value") or "value without a type"
        kind = value.type.tensor_type.elem_type
        if what != "tensor_type" or kind in odd or kind not in kinds.DataType.values():
            named = kinds.DataType.Name(kind).lower() if kind in kinds.DataType.values() else str(kind)
            shown = f"a tensor of {named}" if what == "tensor_type" else f"a {what.replace('_type', '')}"
            raise UnsupportedError(
                f"{path}: '{visible(value.name)}' is {shown}, not a tensor of numbers",
                "export the model with tensors of numbers, and leave other steps to the program around it",
            )


def _check_operators(onnx: Any, model: Any, path: Path) -> None:
    """Raises UnsupportedError for integer operators, for those of another domain than ONNX's own, and for a
    newer opset than the packages here know."""
    local = {(function.domain, function.name) for function in model.functions}
    nodes = [node for node in model.graph.node if (node.domain, node.op_type) not in local]
    integer = [node for node in nodes if node.op_type.startswith(_QUANTIZED)]
    if integer:
        raise UnsupportedError(
            f"{path}: quantized with integer operators ({describe(integer[0])}), whose arithmetic TFLite "
            "cannot express",
            _EXPORT_QDQ,
        )
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in nodes if node.domain not in _OWN})
    if foreign:
        raise UnsupportedError(
            f"{path}: has operators that are not of ONNX itself: {', '.join(foreign)}",
            "export it without custom or runtime-specific operators (no fusion by onnxruntime)",
        )
    newest = onnx.defs.onnx_opset_version()
    found = opset(model)
    if 0 < found < _OLDEST_OPSET and not any(classic_nodes(model)):
        raise UnsupportedError(
            f"{path}: operator set {found}, the oldest that is known here is {_OLDEST_OPSET}",
            "export it with opset_version=17, or bring it up to date with onnx.version_converter",
        )
    if found > newest:
        raise UnsupportedError(
            f"{path}: operator set {found}, the newest that is known here is {newest}",
            "export it with opset_version=17",
        )


def _check_projections(model: Any, path: Path) -> None:
    """Raises UnsupportedError for an LSTM whose states have another width than its cells: ONNX has no such
    layer, and exporters write one that no runtime takes."""
    extents = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        units = next((a.i for a in node.attribute if a.name == "hidden_size"), 0)
        recurrent = extents.get(node.input[2], []) if node.op_type == "LSTM" and len(node.input) > 2 else []
        if units and len(recurrent) == 3 and recurrent[2] != units:
            raise UnsupportedError(
                f"{path}: {describe(node)} has projected states (proj_size), which ONNX cannot express",
                "leave proj_size out, or write the projection as a Linear behind the LSTM",
            )


def shape_of(value: Any) -> tuple[int | None, ...]:
    """An input's shape, None for open dimensions."""
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dimensions)


def _give_ranks(values: Sequence[Any], wanted: Sequence[Sequence[int]], where: str) -> None:
    """An input without any shape has that of --input-shape, open. Raises UsageError without one."""
    for number, value in enumerate(values):
        if value.type.tensor_type.HasField("shape"):
            continue
        if len(wanted) != len(values):
            raise UsageError(
                f"{where}: input '{value.name}' has no shape in the file",
                "give --input-shape once per input, in the file's order: --input-shape 1x3x224x224",
            )
        for _ in wanted[number]:
            value.type.tensor_type.shape.dim.add()


def _shapes(
    names: list[str], shapes: list[tuple[int | None, ...]], wanted: Sequence[Sequence[int]], where: str
) -> list[tuple[int, ...]]:
    """Static ones. An input whose first axis is fixed to another number than 1 has no batch: (T, 1, F), or
    the mask (T, T) beside an input that has one."""
    if wanted:
        return static_shapes(names, shapes, wanted, where)
    if not any(shape and shape[0] in (None, 1) for shape in shapes):
        for name, shape in zip(names, shapes, strict=True):
            _refuse_batch(name, shape, where)
    made = []
    for name, shape in zip(names, shapes, strict=True):
        has_batch = bool(shape) and shape[0] in (None, 1)
        rest = static_shapes([name], [shape if has_batch else (1, *shape)], (), where)[0]
        made.append(rest if has_batch else rest[1:])
    return made


def _refuse_batch(name: str, shape: tuple[int | None, ...], where: str) -> None:
    """Images and rows of another batch than 1. (Steps, 1, features) is a sequence, and has none."""
    if len(shape) in (2, 4, 5) or (len(shape) == 3 and shape[1] != 1):
        raise UnsupportedError(
            f"{where}: input '{name}' was exported for a batch of {shape[0]} (shape {shape})",
            "export it with an example whose batch is 1",
        )


def _fix_shape(value: Any, shape: tuple[int, ...]) -> None:
    for dimension, extent in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        dimension.dim_value = extent


def widen(onnx: Any, model: Any) -> None:
    """float16, bfloat16 and double as float32, in weights, casts, inputs and outputs."""
    half = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
    for tensor in model.graph.initializer:
        _widen_tensor(onnx, tensor, half)
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type in half:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _widen_tensor(onnx, attribute.t, half)
            elif attribute.name in ("to", "dtype", "output_dtype") and attribute.i in half:
                attribute.i = onnx.TensorProto.FLOAT


def _widen_tensor(onnx: Any, tensor: Any, half: set[int]) -> None:
    if tensor.data_type in half:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
