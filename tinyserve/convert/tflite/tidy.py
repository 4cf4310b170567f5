# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow's converter writes, in operators that TFLM has, where that changes no value. Worker process
only."""

from __future__ import annotations

from typing import Any

from tinyserve.compiler.graph import objects


def tidied(data: bytes) -> bytes:
    """The .tflite with

    - SELECT, of whose inputs all have one shape, as SELECT_V2;
    - inputs of whole numbers, given as floats that are only ever cast to integers (tokens of an embedding),
      as these integers: quantized to 8 bits there would be 256 of them.
    """
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    _select_v2(model, graph)
    for index in map(int, graph.inputs):
        _integer_input(model, graph, index)
    return objects.pack(model)


def _name(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _select_v2(model: Any, graph: Any) -> None:
    kinds = objects.module().BuiltinOperator
    for operator in graph.operators:
        if _name(model, operator) != kinds.SELECT:
            continue
        shapes = [list(graph.tensors[int(i)].shape) for i in (*operator.inputs, *operator.outputs)]
        if any(shape != shapes[0] for shape in shapes):
            continue  # a condition per row, which SELECT_V2 would broadcast along columns
        operator.opcodeIndex = objects.operator_code(model, "SELECT_V2")
        objects.set_options(operator, "SelectV2Options")
    objects.drop_unused(model)


def _integer_input(model: Any, graph: Any, index: int) -> None:
    """Retypes an input that nothing reads but casts to one type of integers, and takes the casts out."""
    generated = objects.module()
    tensor, kinds = graph.tensors[index], generated.TensorType
    readers = [op for op in graph.operators if index in map(int, op.inputs)]
    targets = [int(op.outputs[0]) for op in readers]
    casts = all(_name(model, op) == generated.BuiltinOperator.CAST for op in readers)
    types = {graph.tensors[target].type for target in targets}
    returned = set(map(int, graph.outputs))
    if tensor.type != kinds.FLOAT32 or not readers or not casts or types != {kinds.INT32}:
        return
    if returned & {index, *targets}:
        return
    tensor.type = kinds.INT32
    graph.operators = [op for op in graph.operators if not any(op is cast for cast in readers)]
    for operator in graph.operators:
        operator.inputs = [index if int(i) in targets else int(i) for i in operator.inputs]
    objects.drop_tensors(model, graph, targets)
    objects.drop_unused(model)
