# SPDX-License-Identifier: Apache-2.0
"""Values on their way through the steps, and the operators that steps are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinyserve.errors import DataError

Array = npt.NDArray[Any]
PREFIX = "tinyserve_features/"
"""How the names of all tensors begin that steps compute."""
HINT = "`tinyserve features show` prints the shape behind each step"


class Writer(Protocol):
    """What writes operators; methods return the number of a tensor."""

    def tensor(self, name: str, shape: Sequence[int], dtype: str) -> int: ...

    def constant(self, name: str, values: Array) -> int: ...

    def builtin(
        self, name: str, options: str, inputs: Sequence[int], output: int | Sequence[int], **fields: float
    ) -> None: ...

    def custom(
        self, name: str, inputs: Sequence[int], output: int | Sequence[int], options: Mapping[str, float]
    ) -> None: ...


@dataclass(frozen=True)
class Value:
    """What a step gives: ``shape`` is without the batch axis of 1.

    ``rate_hz``: of the first axis, 0 where it is no time. ``bin_rate_hz`` and ``fft_length``: of the spectrum
    that the last axis is, 0 where it is none. ``windows``: the first axis counts windows, the second is
    inside of one.
    """

    tensor: int
    shape: tuple[int, ...]
    dtype: str
    rate_hz: float = 0.0
    bin_rate_hz: float = 0.0
    fft_length: int = 0
    windows: bool = False

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


class Flow:
    """Adds operators for one step, whose name its tensors and errors carry."""

    def __init__(self, writer: Writer, stream: bool) -> None:
        self.writer = writer
        self.stream = stream
        self.step = ""
        self._made = 0

    def error(self, reason: str, hint: str = HINT) -> DataError:
        """What is wrong with this step."""
        return DataError(f"step '{self.step}': {reason}", hint)

    def constant(self, values: Any, dtype: str = "float32") -> int:
        return self.writer.constant(self._name("constant"), np.ascontiguousarray(values, dtype))

    def builtin(
        self,
        op: str,
        options: str,
        value: Value,
        others: Sequence[int],
        shape: Sequence[int],
        **fields: float,
    ) -> Value:
        """An operator of TFLite's on a value and others."""
        output = self._tensor(shape, value.dtype)
        self.writer.builtin(op, options, [value.tensor, *others], output, **fields)
        return replace(value, tensor=output, shape=tuple(shape))

    def custom(
        self, op: str, value: Value, others: Sequence[int], shape: Sequence[int], **options: float
    ) -> Value:
        """A feature operator."""
        output = self._tensor(shape, value.dtype)
        self.writer.custom(op, [value.tensor, *others], output, options)
        return replace(value, tensor=output, shape=tuple(shape))

    def operator(
        self, op: str, inputs: Sequence[int], outputs: Sequence[tuple[tuple[int, ...], str]], **options: float
    ) -> list[int]:
        """A custom operator of TFLM's on tensors whose shapes it fixes itself, without a batch axis."""
        made = [self.writer.tensor(self._name("value"), shape, dtype) for shape, dtype in outputs]
        self.writer.custom(op, inputs, made, options)
        return made

    def floats(self, value: Value) -> Value:
        """In float32."""
        if value.dtype == "float32":
            return value
        output = self._tensor(value.shape, "float32")
        self.writer.builtin("CAST", "CastOptions", [value.tensor], output)
        return replace(value, tensor=output, dtype="float32")

    def integers(self, value: Value) -> Value:
        """In int32, what is behind the point cut off."""
        output = self._tensor(value.shape, "int32")
        self.writer.builtin("CAST", "CastOptions", [value.tensor], output)
        return replace(value, tensor=output, dtype="int32")

    def gathered(self, table: int, rows: Value, shape: Sequence[int]) -> Value:
        """Rows of a constant table of float32, by their numbers."""
        output = self._tensor(shape, "float32")
        self.writer.builtin("GATHER", "GatherOptions", [table, rows.tensor], output, axis=0)
        return replace(rows, tensor=output, shape=tuple(shape), dtype="float32", fft_length=0)

    def holds(self, op: str, value: Value, other: int, shape: Sequence[int]) -> Value:
        """Whether a comparison (GREATER_EQUAL, EQUAL) holds, as bool."""
        options = {"GREATER_EQUAL": "GreaterEqualOptions", "EQUAL": "EqualOptions"}[op]
        output = self._tensor(shape, "bool")
        self.writer.builtin(op, options, [value.tensor, other], output)
        return replace(value, tensor=output, shape=tuple(shape), dtype="bool")

    def chosen(self, condition: Value, value: Value, other: int) -> Value:
        """``value`` where the condition (a bool tensor) holds, the other elsewhere."""
        output = self._tensor(value.shape, value.dtype)
        self.writer.builtin("SELECT_V2", "SelectV2Options", [condition.tensor, value.tensor, other], output)
        return replace(value, tensor=output)

    def is_number(self, value: Value) -> Value:
        """False where it is NaN, the one float that is unlike itself."""
        return self.holds("EQUAL", value, value.tensor, value.shape)

    def joined(self, values: Sequence[Value]) -> Value:
        """Side by side on the last axis."""
        shape = (*values[0].shape[:-1], sum(value.shape[-1] for value in values))
        output = self._tensor(shape, "float32")
        axis = len(shape)  # one more for the batch axis, one less for the last
        self.writer.builtin(
            "CONCATENATION", "ConcatenationOptions", [value.tensor for value in values], output, axis=axis
        )
        return Value(output, shape, "float32", values[0].rate_hz)

    def reshaped(self, value: Value, shape: Sequence[int]) -> Value:
        """The same values in another shape."""
        return value if tuple(shape) == value.shape else self.exactly(value, (1, *shape))

    def exactly(self, value: Value, shape: Sequence[int]) -> Value:
        """The same values in a shape that includes the batch axis, where there is one."""
        output = self.writer.tensor(self._name("value"), shape, value.dtype)
        wanted = self.constant(shape, "int32")
        self.writer.builtin("RESHAPE", "", [value.tensor, wanted], output)
        return replace(value, tensor=output, shape=tuple(shape[1:]))

    def transposed(self, value: Value, order: Sequence[int]) -> Value:
        """Axes in another order."""
        axes = self.constant([0, *(axis + 1 for axis in order)], "int32")
        return self.builtin("TRANSPOSE", "", value, [axes], [value.shape[axis] for axis in order])

    def _tensor(self, shape: Sequence[int], dtype: str) -> int:
        return self.writer.tensor(self._name("value"), (1, *shape), dtype)

    def _name(self, what: str) -> str:
        self._made += 1
        return f"{PREFIX}{self.step}/{what}_{self._made}"
