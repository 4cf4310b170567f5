# SPDX-License-Identifier: Apache-2.0
"""A graph under construction: values to read from, and what layers need to add more of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.compiler.ops.generate import Random
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

QUANTIZED = ("int8", "int16")
MOVED = ("int8", "int16", "int32", "float32")
_MOST_ELEMENTS, _MOST_RANK, _MOST_INPUTS = 3000, 5, 4
LARGEST_SCALE = 0.9
_SCALES = {"int8": (0.01, 0.2), "int16": (1e-4, 2e-3)}


class SkipLayer(Exception):
    """No value fits the layer, or its output would be too large."""


@dataclass
class Grower:
    """Random choices of operands; a value that is missing becomes one more input of the graph.

    float32 values stay exact on every machine: layers that would round in another order do not take them.
    Without ``floats`` there are none. ``least``: zero points and many weights of int8 are the least
    there is: as behind ReLU, and as half-words of two weights can't have it.
    """

    r: Random
    graph: GraphBuilder
    floats: bool = True
    least: bool = False
    values: list[TensorRef] = field(default_factory=list)
    inputs: list[TensorRef] = field(default_factory=list)
    read: set[int] = field(default_factory=set)
    drawn: Counter[str] = field(default_factory=Counter)
    _quantization: dict[int, dict[str, Any]] = field(default_factory=dict)

    def pick(
        self,
        *dtypes: str,
        low: int = 1,
        high: int = 4,
        fits: Callable[[TensorRef], bool] = lambda ref: True,
    ) -> TensorRef:
        """A value of ``low`` to ``high`` dimensions, the newest ones more often. Raises SkipLayer."""
        dtypes = tuple(dtype for dtype in dtypes if self.floats or dtype != "float32")
        known = [x for x in self.values if x.dtype in dtypes and low <= len(x.shape) <= high and fits(x)]
        if known:
            return known[-1] if self.r.chance(0.5) else self.r.choice(known)
        if not dtypes or len(self.inputs) == _MOST_INPUTS:
            raise SkipLayer
        rank = self.r.integer(low, high)
        shape = (1, *self.r.shape(rank - 1, 2, 6)) if rank > 2 else self.r.shape(rank, 1, 8)
        made = self.input(shape, self.r.choice(dtypes))
        if not fits(made):
            raise SkipLayer
        return made

    def input(self, shape: Sequence[int], dtype: str) -> TensorRef:
        """One more input of the graph."""
        q = self.quantization(dtype)
        made = self.graph.input(shape, dtype, **q)
        self._quantization[made.index] = q
        self.inputs.append(made)
        self.values.append(made)
        return made

    def quantization(self, dtype: str) -> dict[str, Any]:
        """Random, in a range in which layers of layers keep their values apart."""
        if dtype not in QUANTIZED:
            return {}
        scale, zero_point = self.r.scale(*_SCALES[dtype]), self.r.zero_point(dtype)
        return {"scale": scale, "zero_point": -128 if self.least and dtype == "int8" else zero_point}

    def of(self, ref: TensorRef) -> dict[str, Any]:
        """A value's quantization."""
        return self._quantization[ref.index]

    def scale(self, ref: TensorRef) -> float:
        return float(self.of(ref)["scale"])

    def tensor(self, shape: Sequence[int], dtype: str, q: dict[str, Any] | None = None) -> TensorRef:
        """An output, quantized at random where ``q`` is not given. Raises SkipLayer for large ones."""
        shape = [int(extent) for extent in shape]
        if int(np.prod(shape)) > _MOST_ELEMENTS or len(shape) > _MOST_RANK or 0 in shape:
            raise SkipLayer
        if dtype == "float32" and not self.floats:
            raise SkipLayer
        q = self.quantization(dtype) if q is None else q
        made = self.graph.tensor(shape, dtype, **q)
        self._quantization[made.index] = q
        return made

    def like(self, ref: TensorRef, shape: Sequence[int] | None = None) -> TensorRef:
        """An output of the type and quantization of another value."""
        return self.tensor(ref.shape if shape is None else shape, ref.dtype, self.of(ref))

    def constant(self, values: npt.ArrayLike, q: dict[str, Any] | None = None) -> TensorRef:
        made = self.graph.constant(values, **(q or {}))
        self._quantization[made.index] = q or {}
        return made

    def integers(self, *values: int) -> TensorRef:
        """An int32 vector: axes, positions, shapes."""
        return self.graph.constant(np.array(values, np.int32))

    def random_constant(self, shape: Sequence[int], dtype: str, q: dict[str, Any]) -> TensorRef:
        """Small numbers in float32 and int32, so that long chains of layers stay finite."""
        if dtype == "float32":
            values: npt.NDArray[Any] = self.r.rng.uniform(-1, 1, shape).astype(np.float32)
        elif dtype == "int32":
            values = self.r.rng.integers(-9, 10, shape).astype(np.int32)
        else:
            values = self.r.values(shape, dtype)
        return self.constant(values, q)

    def wider(self, *refs: TensorRef) -> dict[str, Any]:
        """A quantization for their sum: not beyond 0.9, since TFLM compares int8 of scales below 1 only."""
        scale = sum(self.scale(ref) for ref in refs) * self.r.choice((1.0, 0.7, 2.0))
        return {"scale": min(scale, LARGEST_SCALE), "zero_point": self.r.zero_point(refs[0].dtype)}

    def alike(self, x: TensorRef) -> TensorRef:
        """A second operand of the same type, shape and quantization: a value, or a constant."""
        found: list[TensorRef] = [
            y
            for y in self.values
            if y is not x and (y.dtype, y.shape, self.of(y)) == (x.dtype, x.shape, self.of(x))
        ]
        if found and self.r.chance(0.7):
            return found[self.r.integer(0, len(found) - 1)]
        return x if self.r.chance(0.2) else self.random_constant(x.shape, x.dtype, self.of(x))

    def partner(self, x: TensorRef) -> TensorRef:
        """A second operand of the same type that broadcasts to x: a value, x itself, or a constant."""
        found = [y for y in self.values if y.dtype == x.dtype and _broadcasts(y.shape, x.shape)]
        if found and self.r.chance(0.7):
            return found[self.r.integer(0, len(found) - 1)]
        shape = [1 if self.r.chance(0.3) else extent for extent in x.shape]
        return self.random_constant(shape, x.dtype, self.quantization(x.dtype))

    def add(
        self,
        name: str,
        inputs: Sequence[TensorRef | None],
        outputs: TensorRef | Sequence[TensorRef],
        **options: Any,
    ) -> None:
        """One more operator, whose outputs later layers may read."""
        made = [outputs] if isinstance(outputs, TensorRef) else list(outputs)
        self.graph.op(name, inputs, made, **options)
        self.read.update(ref.index for ref in inputs if ref is not None)
        self.values.extend(made)
        self.drawn[name] += 1


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    if len(shape) > len(to) or not shape:
        return False
    return all(a in (1, b) for a, b in zip(shape[::-1], to[::-1], strict=False))
