# SPDX-License-Identifier: Apache-2.0
"""A draft whose values carry the scales of a quantized (QDQ) ONNX model, as int8 operators with these scales.

What TFLite ties to one scale (moves, pools) gets a QUANTIZE behind it where the source has two; softmax,
sigmoid and tanh write the scales that their kernels are for. Exporters leave operators that they do not know
(HardSigmoid) in floats between two scales: they stay so here, where they have no weights; functions of one
value become tables when compiled. Against onnxruntime, results differ by single steps: both round sums of
products once per layer, in another arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Quantization
from tinyserve.convert.frameworks.onnx_import.draft import Draft, DraftOperator, DraftTensor
from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
_KEEPING = frozenset(
    {
        "AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "GATHER", "MAX_POOL_2D",
        "MIRROR_PAD", "PAD", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SPACE_TO_DEPTH", "STRIDED_SLICE", "TRANSPOSE",
        "CONCATENATION", "RELU", "RELU6", "RELU_N1_TO_1",
    }
)  # fmt: skip
"""Operators whose outputs have the scale of what goes in."""
_RELUS = frozenset({"RELU", "RELU6", "RELU_N1_TO_1"})
_FIXED = {
    "SOFTMAX": Quantization((1 / 256,), (-128,)),
    "LOGISTIC": Quantization((1 / 256,), (-128,)),
    "TANH": Quantization((1 / 128,), (0,)),
}
_WEIGHTED = {"CONV_2D": (1, 2, 0), "DEPTHWISE_CONV_2D": (1, 2, 3), "FULLY_CONNECTED": (1, 2, 0),
             "TRANSPOSE_CONV": (1, 3, 0)}  # fmt: skip
"""Where weights and biases stand among the inputs, and the axis of the weights' output channels."""
_DATA = {"TRANSPOSE_CONV": 2}
_COMPUTING = frozenset(
    {"ADD", "SUB", "MUL", "MEAN", "SUM", "BATCH_MATMUL", "HARD_SWISH", "LEAKY_RELU", "MAXIMUM", "MINIMUM"}
)
_IN_INTEGERS = frozenset({*_KEEPING, *_FIXED, *_WEIGHTED, *_COMPUTING, "QUANTIZE"})
REMEDY = (
    "export it with all operators between the first QuantizeLinear and the last DequantizeLinear quantized "
    "(int8, symmetric weights), or give the float model with --representative DATA"
)


def is_quantized(draft: Draft) -> bool:
    """Whether the source is a QDQ model."""
    return any(tensor.quantization is not None for tensor in draft.tensors)


def to_integers(draft: Draft) -> None:
    """Makes all float operators int8 ones.

    Raises UnsupportedError where a value has no scale, or weights have a zero point.
    """
    own = {id(tensor) for tensor in draft.tensors if tensor.quantization is not None}
    _spread(draft)
    _float_between_floats(draft, own)
    operators, draft.operators = draft.operators, []
    for operator in operators:
        _convert(draft, operator)
    for tensor in draft.tensors:
        if tensor.data is None and tensor.quantization is not None:
            tensor.dtype = "int8"


def _spread(draft: Draft) -> None:
    """Scales go through operators that keep them, forwards and backwards."""
    for operators in (draft.operators, draft.operators[::-1], draft.operators):
        for operator in operators:
            if operator.name not in _KEEPING:
                continue
            inputs = [t for t in (draft.tensors[i] for i in operator.inputs) if _is_value(t)]
            output = draft.tensors[operator.outputs[0]]
            known = next((t.quantization for t in (*inputs, output) if t.quantization is not None), None)
            for tensor in (*inputs, output):
                if tensor.quantization is None and _is_value(tensor):
                    tensor.quantization = known


def _float_between_floats(draft: Draft, own: set[int]) -> None:
    """A RELU inside of a function that stays in floats (softplus) is one of its floats: the scale that it was
    given is taken back. ``own``: tensors that have one from the source."""
    changed = True
    while changed:
        changed = False
        for operator in draft.operators:
            output = draft.tensors[operator.outputs[0]]
            given = operator.name in _RELUS and output.quantization is not None and id(output) not in own
            if given and any(_is_float(draft, reader) for reader in draft.readers(operator.outputs[0])):
                output.quantization, changed = None, True


def _is_float(draft: Draft, operator: DraftOperator) -> bool:
    """Whether it stays in floats."""
    values = _values(draft, (*operator.inputs, *operator.outputs))
    return operator.name not in _IN_INTEGERS or any(tensor.quantization is None for tensor in values)


def _is_value(tensor: DraftTensor) -> bool:
    return tensor.data is None and tensor.dtype == "float32"


def _convert(draft: Draft, operator: DraftOperator) -> None:
    output = draft.tensors[operator.outputs[0]]
    if not _is_value(output):
        draft.operators.append(operator)
        return
    bare = [t for t in _values(draft, (*operator.inputs, *operator.outputs)) if t.quantization is None]
    if bare and operator.name in _WEIGHTED:
        raise UnsupportedError(
            f"{operator.name} '{bare[0].name}' has no scale: the model is quantized in part", REMEDY
        )
    if _is_float(draft, operator):
        _stay_in_float(draft, operator)
        return
    if operator.name in _WEIGHTED:
        _quantize_weights(draft, operator)
    elif operator.name in _COMPUTING:
        operator.inputs = [_quantized_constant(draft, index) for index in operator.inputs]
    if operator.name in _KEEPING:
        joined = operator.name == "CONCATENATION"  # whose first part may have the smallest range
        common = output if joined else draft.tensors[operator.inputs[0]]
        operator.inputs = [_in_scale(draft, index, common) for index in operator.inputs]
    wanted = _FIXED.get(operator.name)
    if operator.name in _KEEPING:
        wanted = draft.tensors[operator.inputs[0]].quantization
    draft.operators.append(operator)
    if wanted is not None and wanted != output.quantization:
        inner = draft.tensor(f"{output.name}/inner", output.shape, "float32")
        draft.tensors[inner].quantization = wanted
        target, operator.outputs = operator.outputs[0], [inner]
        draft.operator("QUANTIZE", [inner], [target])


def _values(draft: Draft, indices: Sequence[int]) -> list[DraftTensor]:
    return [tensor for tensor in (draft.tensors[i] for i in indices if i >= 0) if _is_value(tensor)]


def _stay_in_float(draft: Draft, operator: DraftOperator) -> None:
    """Between a DEQUANTIZE of what has a scale and a QUANTIZE to what gets one."""
    for place, index in enumerate(operator.inputs):
        tensor = draft.tensors[index] if index >= 0 else None
        if tensor is not None and _is_value(tensor) and tensor.quantization is not None:
            real = draft.tensor(f"{tensor.name}/real", tensor.shape, "float32")
            draft.operator("DEQUANTIZE", [index], [real])
            operator.inputs[place] = real
    draft.operators.append(operator)
    for place, index in enumerate(operator.outputs):
        tensor = draft.tensors[index]
        if _is_value(tensor) and tensor.quantization is not None:
            real = draft.tensor(f"{tensor.name}/real", tensor.shape, "float32")
            operator.outputs[place] = real
            draft.operator("QUANTIZE", [real], [index])


def _in_scale(draft: Draft, index: int, common: DraftTensor) -> int:
    """An input in the scale of this tensor."""
    tensor = draft.tensors[index]
    if tensor.data is not None or tensor.quantization is None or tensor.quantization == common.quantization:
        return index
    made = draft.tensor(f"{tensor.name}/rescaled", tensor.shape, "float32")
    draft.tensors[made].quantization = common.quantization
    draft.operator("QUANTIZE", [index], [made])
    return made


def _quantize_weights(draft: Draft, operator: DraftOperator) -> None:
    """int8 weights with the source's scales, or with their own where the source has none; int32 biases."""
    weights_at, bias_at, axis = _WEIGHTED[operator.name]
    weights, bias = (draft.tensors[operator.inputs[at]] for at in (weights_at, bias_at))
    source = draft.tensors[operator.inputs[_DATA.get(operator.name, 0)]].quantization
    if weights.data is None or bias.data is None:
        raise UnsupportedError(f"{operator.name} '{weights.name}': weights that are computed", REMEDY)
    assert source is not None
    scales = _weight_scales(operator, weights.data, axis)
    shape = [1] * weights.data.ndim
    shape[axis] = len(scales)
    steps = np.rint(weights.data / scales.reshape(shape))
    if np.abs(steps).max(initial=0) > 128:
        raise UnsupportedError(f"{operator.name} '{weights.name}': weights with a zero point", REMEDY)
    per_channel = Quantization(tuple(map(float, scales)), (0,) * len(scales), axis if len(scales) > 1 else 0)
    operator.inputs[weights_at] = draft.constant(
        weights.name, np.clip(steps, -128, 127).astype(np.int8), per_channel
    )
    products = scales.astype(np.float64) * source.scale
    whole = np.rint(bias.data.astype(np.float64) / products)
    limits = np.iinfo(np.int32)
    stored = np.clip(whole, limits.min, limits.max).astype(np.int32)
    of_bias = Quantization(tuple(map(float, products)), (0,) * len(products), 0)
    operator.inputs[bias_at] = draft.constant(bias.name, stored, of_bias)


def _weight_scales(operator: DraftOperator, weights: Array, axis: int) -> Array:
    given = operator.weight_scales
    if given is not None and given.size in (1, weights.shape[axis]):
        return np.asarray(given, np.float32).reshape(-1)
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(axis=others)
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)


def _quantized_constant(draft: Draft, index: int) -> int:
    """A float operand that is known, in a scale of its own."""
    tensor = draft.tensors[index]
    if tensor.data is None or tensor.data.dtype != np.float32:
        return index
    low, high = min(float(tensor.data.min()), 0.0), max(float(tensor.data.max()), 0.0)
    scale = max((high - low) / 255, 1e-9)
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    stored = np.clip(np.rint(tensor.data / scale) + zero, -128, 127).astype(np.int8)
    return draft.constant(tensor.name, stored, Quantization((scale,), (zero,)))
