# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow's converter and the import of ONNX write, in operators and types that TFLM and quantizers
have, where that changes no value. Worker process only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import objects

_MOST_AXES = 5
"""Of STRIDED_SLICE."""


def tidied(data: bytes) -> bytes:
    """The .tflite with

    - SELECT, of whose inputs all have one shape, as SELECT_V2;
    - REVERSE_V2 as STRIDED_SLICE in steps of -1, which quantizers copy without a scale of its own, also in 16
      bits;
    - inputs of whole numbers, given as floats that are only ever cast to integers (tokens of an embedding)
      or compared with one, as these integers: quantized to 8 bits there would be 256 of them.
    """
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    _select_v2(model, graph)
    _slices_backwards(model, graph)
    for index in map(int, graph.inputs):
        _integer_input(model, graph, index)
    return objects.pack(model)


def _select_v2(model: Any, graph: Any) -> None:
    for operator in graph.operators:
        if not objects.is_operator(model, operator, "SELECT"):
            continue
        shapes = [list(graph.tensors[int(i)].shape) for i in (*operator.inputs, *operator.outputs)]
        if any(shape != shapes[0] for shape in shapes):
            continue  # a condition per row, which SELECT_V2 would broadcast along columns
        operator.opcodeIndex = objects.operator_code(model, "SELECT_V2")
        objects.set_options(operator, "SelectV2Options")
    objects.drop_unused(model)


def _slices_backwards(model: Any, graph: Any) -> None:
    for operator in graph.operators:
        if not objects.is_operator(model, operator, "REVERSE_V2"):
            continue
        source, axes = (graph.tensors[int(i)] for i in operator.inputs)
        places, rank = objects.values(model, axes), len(source.shape)
        if places is None or not 0 < rank <= _MOST_AXES:
            continue
        turned = {int(axis) % rank for axis in places.reshape(-1)}
        begins = [int(n) - 1 if axis in turned else 0 for axis, n in enumerate(source.shape)]
        ends = [0 if axis in turned else int(n) for axis, n in enumerate(source.shape)]
        steps = [-1 if axis in turned else 1 for axis in range(rank)]
        numbers = [
            _integer_constant(model, graph, np.asarray(part, np.int32)) for part in (begins, ends, steps)
        ]
        operator.opcodeIndex = objects.operator_code(model, "STRIDED_SLICE")
        objects.set_options(operator, "StridedSliceOptions")
        operator.builtinOptions.endMask = sum(1 << axis for axis in turned)
        operator.inputs = [int(operator.inputs[0]), *numbers]
    objects.drop_unused(model)


def _integer_input(model: Any, graph: Any, index: int) -> None:
    """Retypes an input that nothing reads but casts to one type of integers, which are taken out, and
    comparisons with a whole number (the mask of an embedding)."""
    generated = objects.module()
    tensor, kinds = graph.tensors[index], generated.TensorType
    readers = [op for op in graph.operators if index in map(int, op.inputs)]
    casts = [op for op in readers if objects.is_operator(model, op, "CAST")]
    compared = [
        op for op in readers if any(objects.is_operator(model, op, name) for name in ("EQUAL", "NOT_EQUAL"))
    ]
    targets = [int(op.outputs[0]) for op in casts]
    if tensor.type != kinds.FLOAT32 or not casts or len(casts) + len(compared) < len(readers):
        return
    if {graph.tensors[target].type for target in targets} != {kinds.INT32}:
        return
    if set(map(int, graph.outputs)) & {index, *targets}:
        return
    whole = [_whole_constant(model, graph, op, index) for op in compared]
    if any(values is None for values in whole):
        return
    for operator, values in zip(compared, whole, strict=True):
        constant = _integer_constant(model, graph, values)
        operator.inputs = [index if int(i) == index else constant for i in operator.inputs]
    tensor.type = kinds.INT32
    graph.operators = [op for op in graph.operators if not any(op is cast for cast in casts)]
    for operator in graph.operators:
        operator.inputs = [index if int(i) in targets else int(i) for i in operator.inputs]
    objects.drop_tensors(model, graph, targets)
    objects.drop_unused(model)


def _whole_constant(model: Any, graph: Any, operator: Any, index: int) -> npt.NDArray[np.int32] | None:
    """What a comparison compares the input with, if that is constant and has no fraction."""
    others = [graph.tensors[int(i)] for i in operator.inputs if int(i) != index]
    values = objects.values(model, others[0]) if len(others) == 1 else None
    if values is None:
        return None
    whole = np.isfinite(values).all() and (values == np.round(values)).all() and (abs(values) < 2**31).all()
    return values.astype(np.int32) if whole else None


def _integer_constant(model: Any, graph: Any, values: Any) -> int:
    return objects.constant(model, graph, f"whole_{len(graph.tensors)}", values)
