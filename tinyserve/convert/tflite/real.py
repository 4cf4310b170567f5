# SPDX-License-Identifier: Apache-2.0
"""A .tflite of dynamic-range or uint8 quantization as float32, to be quantized anew. Worker process only.

Such files keep 8-bit weights whose float values are known but for rounding. What they computed with,
activations that are quantized in every inference, or unsigned bytes, no microcontroller kernel does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyserve.compiler.graph import objects


def dequantized(data: bytes) -> bytes:
    """The file with every quantized tensor in float32, and without the operators that went to and fro."""
    model = objects.unpack(data)
    generated = objects.module()
    kinds = generated.TensorType
    integers = (kinds.UINT8, kinds.INT8, kinds.INT16, kinds.INT32)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            stored = tensor.quantization
            if tensor.type in integers and stored is not None and stored.scale is not None:
                _make_real(generated, model, tensor)
        _drop_conversions(generated, model, graph)
    for operator in (operator for graph in model.subgraphs for operator in graph.operators):
        if hasattr(operator.builtinOptions, "asymmetricQuantizeInputs"):
            operator.builtinOptions.asymmetricQuantizeInputs = False
    objects.drop_unused(model)
    return objects.pack(model)


def _make_real(generated: Any, model: Any, tensor: Any) -> None:
    """Constants are computed, in a buffer of their own; the others change their type alone."""
    stored, values = tensor.quantization, objects.values(model, tensor)
    tensor.quantization, tensor.type = None, generated.TensorType.FLOAT32
    if values is None:
        return
    shape = [1] * values.ndim
    if len(stored.scale) > 1:
        shape[int(stored.quantizedDimension)] = -1
    zero_points = stored.zeroPoint if stored.zeroPoint is not None else np.zeros(len(stored.scale))
    zero = np.asarray(zero_points, np.float64)
    real = (values - zero.reshape(shape)) * np.asarray(stored.scale, np.float64).reshape(shape)
    tensor.buffer = objects.buffer(model, real.astype(np.float32))


def _drop_conversions(generated: Any, model: Any, graph: Any) -> None:
    """QUANTIZE and DEQUANTIZE from float32 to float32, unless they write an output of the model."""
    real = generated.TensorType.FLOAT32
    replaced: dict[int, int] = {}
    kept = []
    for operator in graph.operators:
        operator.inputs = [replaced.get(int(i), int(i)) for i in operator.inputs]
        if objects.name_of(model, operator) in ("QUANTIZE", "DEQUANTIZE"):
            source, target = int(operator.inputs[0]), int(operator.outputs[0])
            if graph.tensors[source].type == graph.tensors[target].type == real:
                replaced[target] = source
                continue
        kept.append(operator)
    graph.operators = kept
    graph.outputs = [replaced.get(int(i), int(i)) for i in graph.outputs]
    for signature in model.signatureDefs or ():
        if model.subgraphs[signature.subgraphIndex] is graph:
            for entry in signature.outputs or ():
                entry.tensorIndex = replaced.get(int(entry.tensorIndex), int(entry.tensorIndex))
    objects.drop_tensors(model, graph, replaced)
