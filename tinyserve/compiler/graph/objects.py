# SPDX-License-Identifier: Apache-2.0
"""A .tflite file as objects that can be changed, and back. Worker process only: the classes that the file's
schema generates come with LiteRT, or with TensorFlow.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.errors import ToolError

Array = npt.NDArray[Any]
_SCHEMAS = ("ai_edge_litert.schema_py_generated", "tensorflow.lite.python.schema_py_generated")


@cache
def module() -> Any:
    """The generated classes. Raises ToolError where no package has them."""
    for name in _SCHEMAS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ToolError("no package has the schema of .tflite files", "pip install 'tinyserve[convert]'")


def unpack(data: bytes) -> Any:
    """The file as a ``ModelT``."""
    generated = module()
    return generated.ModelT.InitFromObj(generated.Model.GetRootAs(data, 0))


def pack(model: Any) -> bytes:
    """The file of a ``ModelT``."""
    flatbuffers = importlib.import_module("flatbuffers")
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def operator(
    model: Any, name: str, inputs: list[int], outputs: list[int], options: str = "", *, version: int = 1
) -> Any:
    """A new operator of the model, by the schema's names of it and of its options; its caller puts it into a
    graph."""
    generated = module()
    made = generated.OperatorT()
    made.opcodeIndex = operator_code(model, name, version)
    made.inputs, made.outputs = inputs, outputs
    set_options(made, options)
    return made


def is_operator(model: Any, operator: Any, name: str) -> bool:
    """Whether an operator of the model is the one that the schema calls so."""
    return _number(model, operator) == int(getattr(module().BuiltinOperator, name))


def name_of(model: Any, operator: Any) -> str:
    """The schema's name of an operator of the model; empty for one that it does not know."""
    return _names("BuiltinOperator").get(_number(model, operator), "")


def _number(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def operator_code(model: Any, name: str, version: int = 1) -> int:
    """The index of a new operator code."""
    generated = module()
    code = generated.OperatorCodeT()
    number = getattr(generated.BuiltinOperator, name)
    # The deprecated field has 8 bits, and 127 says that the code stands in the other one.
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def set_options(operator: Any, options: str) -> None:
    """Gives an operator empty options of the schema's table of this name; none where it is empty."""
    if options:
        generated = module()
        operator.builtinOptionsType = getattr(generated.BuiltinOptions, options)
        operator.builtinOptions = getattr(generated, f"{options}T")()


def tensor(
    graph: Any,
    name: str | bytes,
    shape: Sequence[int] | None,
    dtype: str,
    quantization: Any = None,
    *,
    buffer: int = 0,
    variable: bool = False,
) -> int:
    """The index of a new tensor of a ``SubGraphT``. ``shape`` may be None, as files have it of scalars;
    ``dtype`` is the schema's name of its type in small letters, which is NumPy's where both have the type;
    ``quantization`` is a ``QuantizationParametersT``."""
    generated = module()
    made = generated.TensorT()
    made.name, made.shape, made.buffer = name, list(() if shape is None else shape), buffer
    made.type = getattr(generated.TensorType, dtype.upper())
    made.quantization, made.isVariable = quantization, variable
    graph.tensors.append(made)
    return len(graph.tensors) - 1


def constant(model: Any, graph: Any, name: str | bytes, values: Array, quantization: Any = None) -> int:
    """The index of a new tensor that holds the values, of their type and shape."""
    return tensor(graph, name, values.shape, values.dtype.name, quantization, buffer=buffer(model, values))


def is_constant(model: Any, tensor: Any) -> bool:
    """Whether the file holds the values of a ``TensorT``."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def values(model: Any, tensor: Any) -> Array | None:
    """What a constant holds, in its own type and shape; None for a tensor that is no constant."""
    if not is_constant(model, tensor):
        return None
    raw = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    shape = () if tensor.shape is None else [int(extent) for extent in tensor.shape]
    return np.frombuffer(raw, np.dtype(dtype_of(tensor)).newbyteorder("<")).reshape(shape)


def dtype_of(tensor: Any) -> str:
    """The type of a ``TensorT`` as ``tensor`` takes it."""
    return _names("TensorType")[int(tensor.type)].lower()


@cache
def _names(enumeration: str) -> dict[int, str]:
    """By number, of one of the schema's enumerations."""
    return {number: name for name, number in vars(getattr(module(), enumeration)).items() if name.isupper()}


def buffer(model: Any, values: Array) -> int:
    """The index of a new buffer, which holds the values little-endian."""
    made = module().BufferT()
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    made.data = np.frombuffer(little.tobytes(), np.uint8)
    model.buffers.append(made)
    return len(model.buffers) - 1


def set_metadata(model: Any, name: str, data: bytes) -> None:
    """Keeps bytes in the file under a name, in the place of what was there before."""
    generated = module()
    entry = generated.MetadataT()
    entry.name = name
    entry.buffer = buffer(model, np.frombuffer(data, np.uint8))
    others = [old for old in model.metadata or () if text(old.name) != name]
    model.metadata = [*others, entry]


def text(name: Any) -> str:
    """A name of the file, which is bytes, or one that was just given; empty where there is none."""
    if name is None:
        return ""
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def drop_tensors(model: Any, graph: Any, dropped: Collection[int]) -> None:
    """Takes tensors out of a ``SubGraphT`` that nothing refers to, and renumbers the others."""
    kept = [index for index in range(len(graph.tensors)) if index not in dropped]
    places = {old: new for new, old in enumerate(kept)} | {-1: -1}

    def moved(indices: Any) -> list[int]:
        return [places[int(index)] for index in (() if indices is None else indices)]

    graph.tensors = [graph.tensors[index] for index in kept]
    graph.inputs, graph.outputs = moved(graph.inputs), moved(graph.outputs)
    for operator in graph.operators:
        operator.inputs, operator.outputs = moved(operator.inputs), moved(operator.outputs)
        operator.intermediates = moved(operator.intermediates)
    for signature in model.signatureDefs or ():
        if model.subgraphs[signature.subgraphIndex] is graph:
            for entry in (*(signature.inputs or ()), *(signature.outputs or ())):
                entry.tensorIndex = places[entry.tensorIndex]


def drop_unused(model: Any) -> None:
    """Takes operator codes and the data of buffers out that nothing refers to."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    kept = sorted({int(operator.opcodeIndex) for operator in operators})
    model.operatorCodes = [model.operatorCodes[index] for index in kept]
    for operator in operators:
        operator.opcodeIndex = kept.index(int(operator.opcodeIndex))
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or ()}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None
