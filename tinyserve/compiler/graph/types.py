# SPDX-License-Identifier: Apache-2.0
"""The typed graph: what every later stage sees of a model. Nothing here knows FlatBuffers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyserve.errors import ModelError


class DType(Enum):
    """Element types of TFLite tensors. The value is the type's name in dumps.

    Types that are not ``supported`` can be read and named in messages; no engine computes with them.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT32 = "int32"
    UINT8 = "uint8"
    INT64 = "int64"
    STRING = "string"
    BOOL = "bool"
    INT16 = "int16"
    COMPLEX64 = "complex64"
    INT8 = "int8"
    FLOAT64 = "float64"
    COMPLEX128 = "complex128"
    UINT64 = "uint64"
    RESOURCE = "resource"  # handle of a resource variable, has no bytes
    VARIANT = "variant"
    UINT32 = "uint32"
    UINT16 = "uint16"
    INT4 = "int4"  # two values per byte, low nibble first; constants only
    BFLOAT16 = "bfloat16"
    INT2 = "int2"
    UINT4 = "uint4"
    FLOAT8_E4M3FN = "float8_e4m3fn"
    FLOAT8_E5M2 = "float8_e5m2"

    @property
    def supported(self) -> bool:
        """Whether an engine can compute with it."""
        return self in _C_TYPE

    @property
    def itemsize(self) -> int:
        """Bytes per element in the arena (INT4 is unpacked, one value per byte; 0 where unsupported)."""
        return _ITEMSIZE.get(self, 0)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy dtype that holds this type's values (raw bytes where unsupported)."""
        return np.dtype(_NUMPY.get(self, "uint8"))

    @property
    def c_type(self) -> str:
        """The C11 fixed-width type of one element. KeyError for types that are not supported."""
        return _C_TYPE[self]


_ITEMSIZE = {
    DType.FLOAT32: 4, DType.INT32: 4, DType.UINT8: 1, DType.INT64: 8, DType.BOOL: 1, DType.INT16: 2,
    DType.INT8: 1, DType.INT4: 1, DType.UINT32: 4, DType.UINT16: 2, DType.RESOURCE: 0,
    DType.FLOAT16: 2, DType.FLOAT64: 8, DType.UINT64: 8,
}  # fmt: skip
_NUMPY = {
    DType.FLOAT32: "float32", DType.INT32: "int32", DType.UINT8: "uint8", DType.INT64: "int64",
    DType.BOOL: "bool", DType.INT16: "int16", DType.INT8: "int8", DType.INT4: "int8",
    DType.UINT32: "uint32", DType.UINT16: "uint16", DType.RESOURCE: "int32",
    DType.FLOAT16: "float16", DType.FLOAT64: "float64", DType.UINT64: "uint64",
}  # fmt: skip
_C_TYPE = {
    DType.FLOAT32: "float", DType.INT32: "int32_t", DType.UINT8: "uint8_t", DType.INT64: "int64_t",
    DType.BOOL: "uint8_t", DType.INT16: "int16_t", DType.INT8: "int8_t", DType.INT4: "int8_t",
    DType.UINT32: "uint32_t", DType.UINT16: "uint16_t", DType.RESOURCE: "int32_t",
    DType.UINT64: "uint64_t",
}  # fmt: skip


@dataclass(frozen=True)
class Quantization:
    """Affine quantization: real = scale * (q - zero_point).

    One scale and zero point per tensor, or one per slice along ``axis`` (per-channel).
    Scales are kept as float32 values (as stored in the file) in float64 arithmetic by users.
    ``problem`` says what makes it unusable, for those who use it: most tensors' quantization is read by no
    kernel, and then may be anything (TFLM's person detection has biases with an axis that they have not).
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0
    problem: str = ""

    @property
    def per_channel(self) -> bool:
        return len(self.scales) > 1

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantization."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantization."""
        return self.zero_points[0]


@dataclass(eq=False)
class Tensor:
    """A value in a graph. ``data`` is the constant's value (numpy, ``shape``), or None.

    ``index`` is the tensor's index in the .tflite subgraph (-1 for tensors that passes made).
    ``is_variable`` marks state that lives across inferences.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    data: npt.NDArray[Any] | None = None
    is_variable: bool = False

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def elements(self) -> int:
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor in memory."""
        return self.elements * self.dtype.itemsize

    @property
    def scale(self) -> float:
        assert self.quantization is not None
        return self.quantization.scale

    @property
    def zero_point(self) -> int:
        """Zero point, 0 for tensors without quantization."""
        return self.quantization.zero_point if self.quantization else 0


class Options(Protocol):
    """An operator's options as the file holds them: fields by their names in the TFLite schema.

    A field that the file leaves out has the default that the caller passes (the schema's default).
    """

    def boolean(self, field: str, default: bool = False) -> bool: ...
    def int8(self, field: str, default: int = 0) -> int: ...
    def int32(self, field: str, default: int = 0) -> int: ...
    def float32(self, field: str, default: float = 0.0) -> float: ...
    def string(self, field: str, default: str = "") -> str: ...

    @property
    def custom(self) -> bytes:
        """The raw bytes of a custom operator's options (FlexBuffers), empty otherwise."""
        ...


@dataclass(frozen=True)
class Signature:
    """What an operator's inputs and outputs are called, in the order of the file.

    A name that ends in "?" may be left out; one that ends in "*", always the last, is any number of tensors.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def place(self, name: str) -> int:
        """The number of the input of this name."""
        return _places(self.inputs)[name]


@lru_cache(maxsize=1024)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    return {name.rstrip("?*"): place for place, name in enumerate(names)}


UNNAMED = Signature()
"""Of operators that the engine does not know."""


@dataclass(eq=False)
class Node:
    """One node. ``name`` is the TFLite builtin's name ("CONV_2D") or a custom operator's code.

    ``inputs`` may hold None for an omitted optional input. ``attributes`` is the dataclass that the
    operator's module in ``compiler/ops`` parsed from ``options``; passes replace it, never mutate it.
    ``index`` is the operator's place in the file (-1 for operators that passes made). ``signature`` names the
    inputs, which ``input("weights")`` and ``optional("bias")`` look up.
    """

    index: int
    name: str
    inputs: list[Tensor | None]
    outputs: list[Tensor]
    options: Options
    attributes: Any = None
    custom: bool = False
    version: int = 1
    intermediates: list[Tensor] = field(default_factory=list)
    signature: Signature = UNNAMED

    def input(self, name: str) -> Tensor:
        """The input of this name. Raises ModelError where the file leaves it out."""
        tensor = self.optional(name)
        if tensor is None:
            raise ModelError(
                f'{self.location}: its input "{name}" is missing',
                "export the model again: the file is damaged or was written by a faulty converter",
            )
        return tensor

    def optional(self, name: str) -> Tensor | None:
        """The input of this name, None where it is left out."""
        place = self.signature.place(name)
        return self.inputs[place] if place < len(self.inputs) else None

    def set_input(self, name: str, tensor: Tensor | None) -> None:
        """Makes a tensor the input of this name, or leaves it out."""
        place = self.signature.place(name)
        padding = [None] * (place - len(self.inputs))
        self.inputs = [*self.inputs[:place], *padding, tensor, *self.inputs[place + 1 :]]

    def operands(self) -> list[Tensor]:
        """The inputs that are there, in the order of the file."""
        return [tensor for tensor in self.inputs if tensor is not None]

    @property
    def output(self) -> Tensor:
        """The first output, of most operators the only one."""
        return self.outputs[0]

    @property
    def location(self) -> str:
        """Where the operator stands, for messages: 'CONV_2D #3 (writes "conv1/Relu")'.

        Converters join the names of fused layers by semicolons: the first one is enough.
        """
        written = ", ".join(f'"{t.name.split(";")[0]}"' for t in self.outputs)
        return f"{self.name} #{self.index} (writes {written})"


@dataclass(eq=False)
class Graph:
    """One subgraph: operators in execution order, tensors by identity.

    ``input_names`` and ``output_names`` are what the model's signature calls inputs and outputs (the tensors'
    names where it has none).
    """

    name: str
    tensors: list[Tensor]
    nodes: list[Node]
    inputs: list[Tensor]
    outputs: list[Tensor]
    input_names: list[str] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)

    def remembers(self, tensor: Tensor) -> bool:
        """Whether it is a variable of which an inference may read what another has written: not where an
        operator writes all of it first."""
        if not tensor.is_variable:
            return False
        first = next((n for n in self.nodes if any(t is tensor for t in (*n.inputs, *n.outputs))), None)
        return first is not None and any(read is tensor for read in first.inputs)


_KEEP_STATE = ("VAR_HANDLE", "CIRCULAR_BUFFER", "SIGNAL")
"""Operators whose kernels remember."""


@dataclass(eq=False)
class Model:
    """A model: the main graph first, then subgraphs of control flow. ``sha256`` is of the file's bytes.

    ``signatures`` are what callers know subgraphs by: their numbers by name.
    ``folded`` names operators that computed constants and were evaluated when the model was loaded.
    """

    graphs: list[Graph]
    description: str
    sha256: str
    metadata: dict[str, bytes] = field(default_factory=dict)
    folded: list[str] = field(default_factory=list)
    signatures: dict[str, int] = field(default_factory=dict)

    @property
    def main(self) -> Graph:
        return self.graphs[0]

    @property
    def keeps_state(self) -> bool:
        """Whether an inference may depend on those before it."""
        variables = any(graph.remembers(tensor) for graph in self.graphs for tensor in graph.tensors)
        names = (node.name.upper() for graph in self.graphs for node in graph.nodes)
        return variables or any(name.startswith(_KEEP_STATE) for name in names)
