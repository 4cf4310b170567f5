# SPDX-License-Identifier: Apache-2.0
"""Values on their way between nodes, and the operators that turn one into what another node takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Quantization, Tensor
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.errors import DataError

Array = npt.NDArray[Any]
PREFIX = "pipeline/"
"""How the names of all tensors begin that belong to no node's features."""
FLOATS = "float32"
_REAL = (FLOATS, "int8", "uint8", "int16")
_INT32 = 2  # of the schema's TensorType


@dataclass(frozen=True)
class Kind:
    """What a tensor holds. ``shape`` with the batch axis."""

    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape

    @property
    def is_real(self) -> bool:
        """Whether it stands for real numbers: floats, or integers with a scale."""
        return self.dtype == FLOATS or (self.dtype in _REAL and self.quantization is not None)

    @property
    def zero(self) -> int:
        """What stands for 0."""
        return self.quantization.zero_points[0] if self.quantization is not None else 0

    def named(self) -> str:
        """For messages: int8[1, 10]."""
        return f"{self.dtype}{list(self.shape)}"


def kind_of(tensor: Tensor) -> Kind:
    """Of a tensor in a file."""
    quantization = tensor.quantization if tensor.dtype.value != FLOATS else None
    if quantization is not None and quantization.problem:
        quantization = None
    return Kind(tuple(tensor.shape), tensor.dtype.value, quantization)


@dataclass(frozen=True)
class Value:
    """A tensor of a graph that is being written. ``what`` names it in messages; ``nothing``: what stands in
    it where its node did not run."""

    tensor: int
    kind: Kind
    what: str
    nothing: int = 0


class Desk:
    """Writes operators between nodes into a graph, under a node's name."""

    def __init__(self, writer: GraphWriter, node: str) -> None:
        self.writer = writer
        self._node = node
        self._taken: Counter[str] = Counter()

    def tensor(self, kind: Kind, name: str = "value") -> int:
        return self.writer.tensor(self._name(name), kind.shape, kind.dtype, kind.quantization)

    def constant(self, values: Any, dtype: str = FLOATS, name: str = "constant") -> int:
        return self.writer.constant(self._name(name), np.ascontiguousarray(values, dtype))

    def builtin(
        self, op: str, options: str, inputs: Sequence[int], kind: Kind, name: str = "", **fields: float
    ) -> int:
        """An operator of one output, called as the operator where it has no ``name``."""
        output = self.tensor(kind, name or op.lower())
        self.writer.builtin(op, options, inputs, output, **fields)
        return output

    def reshaped(self, value: Value, shape: Sequence[int]) -> Value:
        kind = replace(value.kind, shape=tuple(shape))
        if kind.shape == value.kind.shape:
            return value
        wanted = self.constant(shape, "int32")
        return replace(value, tensor=self.builtin("RESHAPE", "", [value.tensor, wanted], kind), kind=kind)

    def real(self, value: Value) -> Value:
        """In float32: what integers with a scale stand for, others as they are."""
        kind = Kind(value.kind.shape, FLOATS)
        if value.kind.dtype == FLOATS:
            return value
        if value.kind.is_real:
            made = self.builtin("DEQUANTIZE", "", [value.tensor], kind)
        else:
            made = self.builtin("CAST", "CastOptions", [value.tensor], kind)
        return replace(value, tensor=made, kind=kind)

    def taken_as(self, value: Value, wanted: Kind, by: str) -> Value:
        """As another tensor has it: in its type, scale and shape. Raises DataError where that can't be."""
        _check(value, wanted, by)
        shaped = self.reshaped(value, wanted.shape)
        if shaped.kind == wanted:
            return shaped
        if wanted.dtype == FLOATS:
            return self.real(shaped)
        made = self.builtin("QUANTIZE", "", [shaped.tensor], wanted)
        return replace(shaped, tensor=made, kind=wanted)

    def argmax(self, value: Value) -> Value:
        """The number of the greatest of all values, of equal ones the first: int32 [1]."""
        known = value if value.kind.dtype in (FLOATS, "int8") and value.kind.is_real else self.real(value)
        row = self.reshaped(known, (1, value.kind.elements))
        kind, axis = Kind((1,), "int32"), self.constant(1, "int32")
        made = self.builtin("ARG_MAX", "ArgMaxOptions", [row.tensor, axis], kind, outputType=_INT32)
        return replace(value, tensor=made, kind=kind)

    def joined(self, values: Sequence[Value]) -> Value:
        """Side by side on the last axis, in float32 unless all are of one type and scale."""
        first = values[0].kind
        alike = all(
            (value.kind.dtype, value.kind.quantization) == (first.dtype, first.quantization)
            for value in values
        )
        parts = list(values) if alike else [self.real(value) for value in values]
        shapes = {part.kind.shape[:-1] for part in parts}
        if len(shapes) > 1:
            listed = ", ".join(f"{value.what} is {value.kind.named()}" for value in values)
            raise DataError(f"what is to be side by side differs in more than the last axis: {listed}")
        width = sum(part.kind.shape[-1] for part in parts)
        kind = replace(parts[0].kind, shape=(*first.shape[:-1], width))
        axis = len(first.shape) - 1
        tensors = [part.tensor for part in parts]
        made = self.builtin("CONCATENATION", "ConcatenationOptions", tensors, kind, axis=axis)
        return Value(made, kind, " and ".join(value.what for value in values))

    def nothing(self, value: Value) -> int:
        """A constant of the value's type that stands for nothing."""
        filled = np.full(value.kind.shape, value.nothing, value.kind.dtype)
        return self.writer.constant(self._name("nothing"), filled, value.kind.quantization)

    def _name(self, what: str) -> str:
        self._taken[what] += 1
        count = self._taken[what]
        return f"{PREFIX}{self._node}/{what}" + (f"_{count}" if count > 1 else "")


def _check(value: Value, wanted: Kind, by: str) -> None:
    if value.kind.elements != wanted.elements or value.kind.sample_shape != wanted.sample_shape:
        raise DataError(
            f"{by} takes {wanted.named()}, and {value.what} is {value.kind.named()}",
            'shapes of what is connected are the same; several places side by side: input = ["a", "b"]',
        )
    if value.kind.dtype != wanted.dtype and not (value.kind.is_real and wanted.is_real):
        raise DataError(
            f"{by} takes {wanted.dtype}, and {value.what} is {value.kind.dtype}",
            "only real numbers (float32, and integers with a scale) become one another",
        )
