# SPDX-License-Identifier: Apache-2.0
"""Values that are only moved keep their scale, and so do those that an LSTM hands from step to step. Worker
process only.

TensorFlow's quantizer gives REVERSE_V2, and whatever else it does not know to copy, an output with a scale of
its own. The kernels of TFLM and LiteRT copy bytes all the same, so that every value is wrong by the quotient
of the scales. Such an input is brought to the output's scale first. The hidden state of an LSTM is its last
output: the quantizer calibrates both, and where others share the output's scale they come apart.
"""

from __future__ import annotations

import copy
from typing import Any

from tinyserve.compiler.graph import objects
from tinyserve.convert.tflite import sequence_lstm

_FIRST, _SECOND, _ALL = (0,), (1,), None
MOVED: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(
        (
            "BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND",
            "MAX_POOL_2D", "MIRROR_PAD", "PAD", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR", "REVERSE_SEQUENCE", "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND",
            "SPACE_TO_DEPTH", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TOPK_V2", "TRANSPOSE", "UNPACK",
        ),
        _FIRST,
    ),
    **dict.fromkeys(("EMBEDDING_LOOKUP", "SCATTER_ND", "SPLIT"), _SECOND),
    **dict.fromkeys(("CONCATENATION", "PACK"), _ALL),
    "DYNAMIC_UPDATE_SLICE": (0, 1),
    "MAXIMUM": (0, 1), "MINIMUM": (0, 1),
    "PADV2": (0, 2),
    "SELECT": (1, 2), "SELECT_V2": (1, 2),
}  # fmt: skip
"""Operators whose kernels compare and copy integers, by which of their inputs."""


def repaired(data: bytes) -> bytes:
    """The model with a QUANTIZE in front of each input that is copied to an output of another scale."""
    model = objects.unpack(data)
    changed = [_repair(model, graph) for graph in model.subgraphs]
    return objects.pack(model) if any(changed) else data


def _repair(model: Any, graph: Any) -> bool:
    kinds = objects.module().TensorType
    integers = (kinds.INT8, kinds.UINT8, kinds.INT16)
    operators: list[Any] = []
    recalled = False
    for operator in graph.operators:
        name = objects.name_of(model, operator)
        output = graph.tensors[int(operator.outputs[0])] if len(operator.outputs) else None
        if name in MOVED and output is not None and output.type in integers:
            operators += _rescaled(model, graph, operator, MOVED[name], output)
        if name == sequence_lstm.NAME and output is not None and output.type in integers:
            recalled |= _recalls_outputs(graph, operator, output)
        operators.append(operator)
    added = len(operators) > len(graph.operators)
    graph.operators = operators
    return added or recalled


def _recalls_outputs(graph: Any, operator: Any, output: Any) -> bool:
    """The hidden state, and what LiteRT computes it in, with the outputs' scale; whether that is new."""
    places = [int(operator.inputs[sequence_lstm.HIDDEN])]
    places += [int(i) for i in list(() if operator.intermediates is None else operator.intermediates)[-1:]]
    found = [graph.tensors[place] for place in places]
    changed = any(_differ(tensor.quantization, output.quantization) for tensor in found)
    for tensor in found:
        tensor.quantization = output.quantization
    return changed


def _rescaled(
    model: Any, graph: Any, operator: Any, places: tuple[int, ...] | None, output: Any
) -> list[Any]:
    """The operators that bring inputs to the output's scale; ``operator`` reads what they write."""
    inputs = [int(index) for index in operator.inputs]
    added = []
    for place in range(len(inputs)) if places is None else places:
        if place < len(inputs) and inputs[place] >= 0:
            input = graph.tensors[inputs[place]]
            if input.type == output.type and _differ(input.quantization, output.quantization):
                rescaled = copy.copy(input)
                rescaled.name = input.name + b"_rescaled"
                rescaled.buffer, rescaled.quantization = 0, output.quantization
                graph.tensors.append(rescaled)
                target = len(graph.tensors) - 1
                added.append(objects.operator(model, "QUANTIZE", [inputs[place]], [target], version=2))
                inputs[place] = target
    operator.inputs = inputs
    return added


def _differ(first: Any, second: Any) -> bool:
    """Whether both have one scale, and not the same one."""
    if any(one is None or one.scale is None or len(one.scale) != 1 for one in (first, second)):
        return False
    scales = float(first.scale[0]), float(second.scale[0])
    points = [0 if one.zeroPoint is None else int(one.zeroPoint[0]) for one in (first, second)]
    return abs(scales[0] - scales[1]) > 1e-6 * max(scales) or points[0] != points[1]
