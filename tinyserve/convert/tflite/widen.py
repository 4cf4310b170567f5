# SPDX-License-Identifier: Apache-2.0
"""Weights of half precision as float32. Worker process only.

Such files keep float16 constants with a DEQUANTIZE behind each. Every float16 is a float32, so that widening
them in the file changes no output; it takes twice the flash, and the model can be quantized like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyserve.compiler.graph import objects


def widened(data: bytes) -> bytes:
    """The .tflite with its float16 constants as float32, and without the operators that widened them.

    What else is of half precision stays.
    """
    model = objects.unpack(data)
    generated = objects.module()
    widens = {
        index
        for index, code in enumerate(model.operatorCodes)
        if code.builtinCode == generated.BuiltinOperator.DEQUANTIZE
    }
    for graph in model.subgraphs:
        replaced = {}
        for operator in graph.operators:
            source = int(operator.inputs[0]) if operator.opcodeIndex in widens else -1
            if source >= 0 and _is_half_constant(generated, model, graph.tensors[source]):
                replaced[int(operator.outputs[0])] = source
        for source in set(replaced.values()):
            _widen(generated, model, graph.tensors[source])
        _rewire(model, graph, replaced)
    objects.drop_unused(model)
    return objects.pack(model)


def _is_half_constant(generated: Any, model: Any, tensor: Any) -> bool:
    return tensor.type == generated.TensorType.FLOAT16 and objects.is_constant(model, tensor)


def _widen(generated: Any, model: Any, tensor: Any) -> None:
    """In a buffer of its own: others may share the old one."""
    tensor.buffer = objects.buffer(model, np.asarray(objects.values(model, tensor), np.float32))
    tensor.type = generated.TensorType.FLOAT32


def _rewire(model: Any, graph: Any, replaced: dict[int, int]) -> None:
    """Readers of a widened tensor read the constant; the tensor and what wrote it go."""
    graph.operators = [op for op in graph.operators if int(op.outputs[0]) not in replaced]
    for operator in graph.operators:
        operator.inputs = [replaced.get(int(index), int(index)) for index in operator.inputs]
    graph.outputs = [replaced.get(int(index), int(index)) for index in graph.outputs]
    for signature in model.signatureDefs or ():
        if model.subgraphs[signature.subgraphIndex] is graph:
            for entry in signature.outputs or ():
                entry.tensorIndex = replaced.get(entry.tensorIndex, entry.tensorIndex)
    objects.drop_tensors(model, graph, replaced)
