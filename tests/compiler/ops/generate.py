# SPDX-License-Identifier: Apache-2.0
"""Random tensors, quantization parameters and one-operator models for the differential tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.fuzz_seed import fuzz_seed

Array = npt.NDArray[Any]
RANGES = {"int8": (-128, 127), "int16": (-32768, 32767), "uint8": (0, 255), "int32": (-(2**31), 2**31 - 1)}
ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


class Random:
    """A seeded source of everything that a case needs."""

    def __init__(self, *seed: int) -> None:
        self.rng = np.random.default_rng((*seed, *fuzz_seed()))

    def integer(self, low: int, high: int) -> int:
        """low <= value <= high."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def choice(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def shape(self, rank: int, low: int = 1, high: int = 6) -> tuple[int, ...]:
        return tuple(self.integer(low, high) for _ in range(rank))

    def scale(self, low: float = 1e-3, high: float = 1.0) -> float:
        """Log-uniform, as float32 holds it; now and then a power of two."""
        value = np.exp(self.rng.uniform(np.log(low), np.log(high)))
        if self.chance(0.15):
            value = 2.0 ** np.round(np.log2(value))
        return float(np.float32(value))

    def zero_point(self, dtype: str = "int8") -> int:
        """Uniform, often at the ends of the range or 0. Always 0 for int16."""
        if dtype == "int16":
            return 0
        low, high = RANGES[dtype]
        return int(self.choice((low, high, 0, self.integer(low, high), self.integer(low, high))))

    def values(self, shape: Sequence[int], dtype: str) -> Array:
        """Any values of the type; floats are normal with a few large ones."""
        if dtype == "float32":
            return (self.rng.normal(size=shape) * self.choice((0.1, 1.0, 5.0))).astype(np.float32)
        if dtype == "bool":
            return self.rng.integers(0, 2, shape).astype(np.bool_)
        low, high = RANGES.get(dtype, (-1000, 1000))
        return self.rng.integers(low, high + 1, shape).astype(dtype)

    def quantization(self, dtype: str, low: float = 1e-3, high: float = 1.0) -> dict[str, Any]:
        """Keyword arguments for a tensor of the builder; none for types that are not quantized."""
        if dtype not in ("int8", "int16", "uint8"):
            return {}
        return {"scale": self.scale(low, high), "zero_point": self.zero_point(dtype)}

    def samples(self, graph_inputs: Sequence[TensorRef], count: int = 3) -> list[list[Array]]:
        """Inputs: random ones, and one with the extremes of the type everywhere."""
        sets = [[self.values(ref.shape, ref.dtype) for ref in graph_inputs] for _ in range(count - 1)]
        sets.append([_extreme(self, ref) for ref in graph_inputs])
        return sets


def _extreme(random: Random, ref: TensorRef) -> Array:
    if ref.dtype not in RANGES:
        return random.values(ref.shape, ref.dtype)
    return np.full(ref.shape, random.choice(RANGES[ref.dtype]), dtype=ref.dtype)


def case(
    label: str,
    random: Random,
    build: Callable[[GraphBuilder], tuple[Sequence[TensorRef], Sequence[TensorRef]]],
) -> Case:
    """A one-graph model: ``build`` adds operators and returns inputs and outputs."""
    model = ModelBuilder()
    graph = model.graph()
    inputs, outputs = build(graph)
    graph.output(*outputs)
    return Case(label, model.build(), random.samples(inputs))
