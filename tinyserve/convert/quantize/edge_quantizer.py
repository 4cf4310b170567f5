# SPDX-License-Identifier: Apache-2.0
"""int16x8 with some layers left in float, by ai-edge-quantizer. Worker process only.

TensorFlow's quantizer makes 16-bit models only as a whole. This one takes a recipe per layer.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from typing import Any

import numpy as np

from tinyserve.compiler.graph import objects, reader
from tinyserve.compiler.graph.types import DType, Node
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.loaded import Arrays, Say
from tinyserve.errors import ModelError, ToolError

PACKAGE = "ai-edge-quantizer"

_HEADROOM = 2.0
"""How far ranges reach beyond what was seen: one bit of sixteen, so that other inputs fit as well."""


def tools() -> dict[str, str]:
    """The package's version."""
    return {PACKAGE: importlib.metadata.version(PACKAGE)}


def quantize(model: bytes, samples: Arrays, keep_float: list[str], say: Say, anew: bool = False) -> bytes:
    """``model`` with 16-bit symmetric activations and 8-bit weights per channel, except the operators that
    write the tensors ``keep_float``.

    ``samples``: per input (N, *sample shape) in the order of the model's inputs. ``anew``: variables are set
    back before each. Raises ToolError where the package is missing, ModelError where it refuses the model.
    """
    try:
        package: Any = importlib.import_module("ai_edge_quantizer")
        quantizer: Any = importlib.import_module("ai_edge_quantizer.quantizer")
        recipe: Any = importlib.import_module("ai_edge_quantizer.recipe")
    except ImportError as error:
        raise ToolError(
            f"{PACKAGE} is needed to leave layers of an int16x8 model in float: {error}",
            "pip install 'tinyserve[quantizer]'",
        ) from error
    ranges = _ranges(model, samples, say, anew)
    try:
        made = quantizer.Quantizer(bytearray(model), recipe.static_wi8_ai16())
        for tensor in keep_float:
            made.update_quantization_recipe(
                regex=f".*{re.escape(tensor)}.*",
                operation_name=package.qtyping.TFLOperationName.ALL_SUPPORTED,
                algorithm_key="no_quantize",
            )
        return _alike(bytes(made.quantize(ranges).quantized_model))
    except (RuntimeError, ValueError, KeyError, NotImplementedError) as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"{PACKAGE} refused the model: {first[:300]}",
            "--quantize int8, or keep other layers in float (--per-layer)",
        ) from error


def _ranges(model: bytes, samples: Arrays, say: Say, anew: bool) -> dict[str, dict[str, Any]]:
    """By tensor's name the minimum and maximum over all samples, in arrays of the tensor's rank.

    The package's own calibration takes a moving average, which clips what is rare.
    """
    graph = reader.read(model).main
    names = {tensor.index: tensor.name for tensor in graph.tensors}
    found: dict[str, dict[str, Any]] = {}
    for tensor, array in zip(graph.inputs, samples, strict=True):
        _widen(found, tensor.name, array, len(tensor.shape))
    for tensors in runtimes.each_trace(model, samples, say, anew):
        for index, value in tensors.items():
            if value.size:
                _widen(found, names[index], value, value.ndim)
    for node in graph.nodes:
        _complete(found, node)
    for known in found.values():
        known["min"], known["max"] = known["min"] * _HEADROOM, known["max"] * _HEADROOM
    return found


def _complete(found: dict[str, dict[str, Any]], node: Node) -> None:
    """Outputs that nothing reads, and that have no value therefore, get the range of their operator's others:
    an operator whose outputs are partly integers is none."""
    real = [t for t in (*node.inputs, *node.outputs) if t is not None and t.dtype is DType.FLOAT32]
    known = [found[tensor.name] for tensor in real if tensor.name in found]
    for tensor in node.outputs:
        if known and tensor.dtype is DType.FLOAT32 and tensor.name not in found:
            for ends in known:
                for end in (ends["min"], ends["max"]):
                    _widen(found, tensor.name, end, len(tensor.shape))


def _alike(data: bytes) -> bytes:
    """The model whose operators have outputs of one type: those that nothing reads, and which the package
    leaves in float, take that of the others."""
    model = objects.unpack(data)
    real = objects.module().TensorType.FLOAT32
    for graph in model.subgraphs:
        read = {int(i) for node in graph.operators for i in node.inputs} | set(map(int, graph.outputs))
        for node in graph.operators:
            outputs = [graph.tensors[int(i)] for i in node.outputs]
            integer = next((tensor for tensor in outputs if tensor.type != real), None)
            for index, tensor in zip(node.outputs, outputs, strict=True):
                if integer is not None and tensor.type == real and int(index) not in read:
                    tensor.type, tensor.quantization = integer.type, integer.quantization
    return objects.pack(model)


def _widen(found: dict[str, dict[str, Any]], name: str, values: Any, rank: int) -> None:
    low, high = (np.full((1,) * rank, end, values.dtype) for end in (values.min(), values.max()))
    known = found.setdefault(name, {"min": low, "max": high})
    known["min"], known["max"] = np.minimum(known["min"], low), np.maximum(known["max"], high)
