# SPDX-License-Identifier: Apache-2.0
"""A float .tflite in the making: tensors and operators as plain objects that can still be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Quantization
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.errors import UnsupportedError
from tinyserve.escapes import visible

Array = npt.NDArray[Any]

OPTIONS = {
    "ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions",
    "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions", "FULLY_CONNECTED": "FullyConnectedOptions",
    "BATCH_MATMUL": "BatchMatMulOptions", "AVERAGE_POOL_2D": "Pool2DOptions", "MAX_POOL_2D": "Pool2DOptions",
    "RESHAPE": "ReshapeOptions", "TRANSPOSE": "TransposeOptions", "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "MIRROR_PAD": "MirrorPadOptions", "CONCATENATION": "ConcatenationOptions", "GATHER": "GatherOptions",
    "SLICE": "SliceOptions", "SPLIT": "SplitOptions", "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions", "SOFTMAX": "SoftmaxOptions", "LOG_SOFTMAX": "LogSoftmaxOptions",
    "LEAKY_RELU": "LeakyReluOptions", "GELU": "GeluOptions", "CAST": "CastOptions",
    "ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions", "CUMSUM": "CumsumOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions", "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "MEAN": "ReducerOptions", "SUM": "ReducerOptions", "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions", "REDUCE_ALL": "ReducerOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "L2_NORMALIZATION": "L2NormOptions", "REVERSE_V2": "ReverseV2Options",
    "BROADCAST_TO": "BroadcastToOptions", "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
}  # fmt: skip
"""The schema's table of options by operator; the others have none."""

FUSED = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
"""ActivationFunctionType."""
_TAKES_ACTIVATION = frozenset(
    [
        "ADD",
        "SUB",
        "MUL",
        "DIV",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
    ]
)


@dataclass
class DraftTensor:
    """``data`` is of constants; ``hides``: the source has -inf among them. ``dtype`` is TFLite's name of the
    type."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: Array | None = None
    quantization: Quantization | None = None
    variable: bool = False
    hides: bool = False


@dataclass
class DraftOperator:
    """``fields`` are those of the operator's options. ``weight_scales``: one, or one per output channel, of
    weights that the source has in integers."""

    name: str
    inputs: list[int]
    outputs: list[int]
    fields: dict[str, float] = field(default_factory=dict)
    weight_scales: Array | None = None


class Draft:
    """Tensors are known by their numbers; -1 is an input that is left out."""

    def __init__(self) -> None:
        self.tensors: list[DraftTensor] = []
        self.operators: list[DraftOperator] = []
        self._producers: dict[int, DraftOperator] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def tensor(self, name: str, shape: Sequence[int], dtype: str, variable: bool = False) -> int:
        """A value that is computed, an input, or a variable."""
        self.tensors.append(DraftTensor(name, tuple(int(n) for n in shape), dtype, variable=variable))
        return len(self.tensors) - 1

    def constant(self, name: str, values: Array, quantization: Quantization | None = None) -> int:
        """Equal constants are one tensor. Infinity (of masks) becomes the largest number."""
        values = narrowed(values, name)
        key = (values.dtype.name, values.shape, values.tobytes())
        hides = values.dtype == np.float32 and bool((values == -np.inf).any())
        if values.dtype == np.float32 and np.isinf(values).any():
            values = np.clip(values, np.finfo(np.float32).min, np.finfo(np.float32).max)
        if quantization is None and key in self._constants:
            return self._constants[key]
        made = DraftTensor(name, values.shape, values.dtype.name, values, quantization, hides=hides)
        self.tensors.append(made)
        if quantization is None:
            self._constants[key] = len(self.tensors) - 1
        return len(self.tensors) - 1

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], **fields: float) -> None:
        made = DraftOperator(name, list(inputs), list(outputs), fields)
        self.operators.append(made)
        self._producers.update(dict.fromkeys(made.outputs, made))

    def producer(self, tensor: int) -> DraftOperator | None:
        """What computes the tensor."""
        return self._producers.get(tensor)

    def readers(self, tensor: int) -> list[DraftOperator]:
        return [operator for operator in self.operators if tensor in operator.inputs]

    def finish(self, outputs: Sequence[int]) -> None:
        """Takes out what nothing reads, and puts activations into the operators before them."""
        self._drop_unread(outputs)
        self._fuse_activations(set(outputs))

    def _drop_unread(self, outputs: Sequence[int]) -> None:
        needed, kept = set(outputs), list[DraftOperator]()
        for operator in reversed(self.operators):
            if needed.intersection(operator.outputs):
                needed.update(operator.inputs)
                kept.append(operator)
        self.operators = kept[::-1]

    def _fuse_activations(self, outputs: set[int]) -> None:
        reads: dict[int, int] = {}
        for operator in self.operators:
            for index in operator.inputs:
                reads[index] = reads.get(index, 0) + 1
        for activation in [op for op in self.operators if op.name in FUSED]:
            source = activation.inputs[0]
            before = self.producer(source)
            if before is None or before.name not in _TAKES_ACTIVATION or before not in self.operators:
                continue
            if self.tensors[source].dtype != "float32" or self.tensors[source].quantization is not None:
                continue
            if (
                reads[source] == 1
                and source not in outputs
                and not before.fields.get("fusedActivationFunction")
            ):
                before.fields["fusedActivationFunction"] = FUSED[activation.name]
                before.outputs = list(activation.outputs)
                self._producers[activation.outputs[0]] = before
                self.operators.remove(activation)

    def write(
        self, inputs: Sequence[int], outputs: Sequence[int], names: tuple[list[str], list[str]], about: str
    ) -> bytes:
        """The file, with ``names`` of inputs and outputs as its signature."""
        writer, places = GraphWriter(about), {-1: -1}
        used = dict.fromkeys(
            [*inputs, *(i for op in self.operators for i in (*op.inputs, *op.outputs)), *outputs]
        )
        taken: dict[str, int] = {}
        for index in used:
            if index >= 0:
                places[index] = self._place(writer, self.tensors[index], taken)
        for operator in self.operators:
            writer.builtin(
                operator.name,
                OPTIONS.get(operator.name, ""),
                [places[i] for i in operator.inputs],
                [places[i] for i in operator.outputs],
                **operator.fields,
            )
        writer.signature(*names)
        return writer.build([places[i] for i in inputs], [places[i] for i in outputs])

    @staticmethod
    def _place(writer: GraphWriter, tensor: DraftTensor, taken: dict[str, int]) -> int:
        taken[tensor.name] = taken.get(tensor.name, 0) + 1
        name = tensor.name if taken[tensor.name] == 1 else f"{tensor.name}_{taken[tensor.name]}"
        tensor.name = name
        if tensor.data is not None:
            return writer.constant(name, tensor.data, tensor.quantization)
        return writer.tensor(name, tensor.shape, tensor.dtype, tensor.quantization, variable=tensor.variable)


def narrowed(values: Array, name: str) -> Array:
    """Constants in the types that kernels have: 64-bit integers as 32-bit ones; float32. Raises
    UnsupportedError with the constant's name where an integer needs more than 32 bits."""
    kept = values.astype(narrow_type(values.dtype), copy=False)
    if kept.dtype.kind == "i" and (kept != values).any():
        worst = values[kept != values].reshape(-1)[0]
        raise UnsupportedError(
            f"the constant '{visible(name)}' holds {worst}, which needs more than the 32 bits of "
            "integers on the device",
            "keep integers between -2147483648 and 2147483647, or compute this part in floats",
        )
    return kept


def narrow_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that kernels have for values of this one."""
    if dtype.name in ("int64", "uint64", "uint32"):
        return np.dtype(np.int32)
    return np.dtype(np.float32) if dtype.kind == "f" else dtype
