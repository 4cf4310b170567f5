# SPDX-License-Identifier: Apache-2.0
"""How an operator is added to TFLM's MicroMutableOpResolver."""

from __future__ import annotations

from collections.abc import Sequence

from tinyserve.compiler.graph.types import DType, Model, Node
from tinyserve.errors import UnsupportedError

# Methods whose names are not the operator's in CamelCase (micro_mutable_op_resolver.h).
_IRREGULAR = {
    "AVERAGE_POOL_2D": "AveragePool2D",
    "BATCH_MATMUL": "BatchMatMul",
    "CONV_2D": "Conv2D",
    "CUMSUM": "CumSum",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "L2_POOL_2D": "L2Pool2D",
    "MAX_POOL_2D": "MaxPool2D",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
_REGULAR_NAMES = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CALL_ONCE
    CAST CEIL CONCATENATION COS DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP
    EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
    GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOG LOG_SOFTMAX LOGICAL_AND
    LOGICAL_NOT LOGICAL_OR LOGISTIC MAXIMUM MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PRELU
    QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH
    TRANSPOSE TRANSPOSE_CONV UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""
_SIGNAL_NAMES = """
    Delay Energy FftAutoScale FilterBank FilterBankLog FilterBankSpectralSubtraction FilterBankSquareRoot
    Framer Irfft OverlapAdd PCAN Rfft Stacker Window
"""

METHODS = {
    **{name: "Add" + name.title().replace("_", "") for name in _REGULAR_NAMES.split()},
    **{name: f"Add{method}" for name, method in _IRREGULAR.items()},
}
CUSTOM_METHODS = {
    "CIRCULAR_BUFFER": "AddCircularBuffer",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
    **{f"Signal{name}": f"Add{name}" for name in _SIGNAL_NAMES.split()},
}

_SELECTED = (DType.INT8, DType.INT16, DType.FLOAT32)
"""Types of SELECT_V2; others fail when TFLM computes it."""
_FLOORED = ("FLOOR_DIV", "FLOOR_MOD")
"""Of float32 alone; other types fail when TFLM computes them."""
_MOST_JOINED = 10
"""Inputs of CONCATENATION: kMaxInputNum; more fail when TFLM prepares it."""


def has(node: Node) -> bool:
    """Whether TFLM has an operator of this name, as far as that is known for the types and the number of its
    tensors."""
    return not _is_unknown(node) and not _lacking_form(node)


def lacking_in(model: Model) -> list[str]:
    """The model's operators that TFLM does not have, sorted, each once: their names, and the type or the
    number of tensors where it has the operator for others alone."""
    nodes = [node for graph in model.graphs for node in graph.nodes if not has(node)]
    return sorted({node.name if _is_unknown(node) else _lacking_form(node) for node in nodes})


def _is_unknown(node: Node) -> bool:
    return node.name not in (CUSTOM_METHODS if node.custom else METHODS)


def _lacking_form(node: Node) -> str:
    """The operator in the form that TFLM does not have; empty where it has it."""
    if node.name == "SELECT_V2" and node.outputs[0].dtype not in _SELECTED:
        return f"SELECT_V2 of {node.outputs[0].dtype.value}"
    if node.name in _FLOORED and node.outputs[0].dtype is not DType.FLOAT32:
        return f"{node.name} of {node.outputs[0].dtype.value}"
    if node.name == "CONCATENATION" and len(node.inputs) > _MOST_JOINED:
        return f"CONCATENATION of more than {_MOST_JOINED} tensors"
    return ""


def resolver_methods(model: Model) -> Sequence[str]:
    """The resolver's methods for the operators of all graphs, sorted, each once.

    Raises UnsupportedError that names all operators TFLM does not have.
    """
    methods, missing = set(), []
    for graph in model.graphs:
        for node in graph.nodes:
            if _is_unknown(node):
                missing.append(node.location)
            elif form := _lacking_form(node):
                missing.append(f"{form} ({node.location})")
            else:
                methods.add((CUSTOM_METHODS if node.custom else METHODS)[node.name])
    if missing:
        raise UnsupportedError(
            "TensorFlow Lite Micro does not have: " + "; ".join(missing),
            "use the engine aot, which is the default, where it has them; else replace the layer",
        )
    return sorted(methods)
