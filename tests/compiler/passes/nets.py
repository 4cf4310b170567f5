# SPDX-License-Identifier: Apache-2.0
"""Random int8, int16 and float32 networks for the passes' tests, with the sparsity that passes look for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tinyserve.compiler.graph.types import Graph, Model

Array = npt.NDArray[Any]
RELU_ZERO_POINT = -128


@dataclass
class Net:
    """A network under construction. ``x`` is the activation that the next layer reads."""

    rng: np.random.Generator
    model: ModelBuilder = field(default_factory=ModelBuilder)

    def __post_init__(self) -> None:
        self.graph: GraphBuilder = self.model.graph()
        self.inputs: list[TensorRef] = []
        self.quantization: dict[int, tuple[float, int]] = {}
        self.x: TensorRef

    def input(self, shape: tuple[int, ...], dtype: str = "int8", zero_point: int | None = None) -> TensorRef:
        scale, point = self._quantized(dtype, zero_point)
        self.x = self.graph.input(shape, dtype, scale or None, point)
        self._remember(self.x)
        self.inputs.append(self.x)
        return self.x

    def tensor(
        self,
        shape: tuple[int, ...],
        dtype: str = "int8",
        *,
        like: TensorRef | None = None,
        zero_point: int | None = None,
    ) -> TensorRef:
        """An activation, quantized as ``like`` or at random."""
        scale, point = self.quantization[like.index] if like else self._quantized(dtype, zero_point)
        ref = self.graph.tensor(shape, dtype, scale or None, point)
        self.quantization[ref.index] = (scale, point)
        return ref

    def conv(
        self,
        channels: int,
        size: int = 1,
        *,
        stride: int = 1,
        padding: str = "SAME",
        activation: str = "RELU",
        dead_outputs: float = 0.0,
        dead_inputs: float = 0.0,
        bias: bool = True,
        zero_point: int | None = None,
        like: TensorRef | None = None,
    ) -> TensorRef:
        """CONV_2D with per-channel weights; dead shares are of channels whose weights are all zero."""
        _, height, width, depth = self.x.shape
        weights = self._weights((channels, size, size, depth))
        weights[self.rng.random(channels) < dead_outputs] = 0
        weights[..., self.rng.random(depth) < dead_inputs] = 0
        shape = (1, *_window(height, width, size, stride, padding), channels)
        y = self.tensor(shape, self.x.dtype, zero_point=zero_point, like=like)
        operands = self._weighted(weights, channels, 0, bias)
        self.graph.op(
            "CONV_2D", operands, [y], padding=padding, stride_w=stride, stride_h=stride, activation=activation
        )
        self.x = y
        return y

    def depthwise(
        self,
        size: int = 3,
        *,
        multiplier: int = 1,
        stride: int = 1,
        padding: str = "SAME",
        activation: str = "RELU",
        dead: float = 0.0,
        zero_point: int | None = None,
    ) -> TensorRef:
        """DEPTHWISE_CONV_2D."""
        _, height, width, depth = self.x.shape
        channels = depth * multiplier
        weights = self._weights((1, size, size, channels))
        weights[..., self.rng.random(channels) < dead] = 0
        shape = (1, *_window(height, width, size, stride, padding), channels)
        y = self.tensor(shape, self.x.dtype, zero_point=zero_point)
        self.graph.op(
            "DEPTHWISE_CONV_2D", self._weighted(weights, channels, 3, True), [y], padding=padding,
            stride_w=stride, stride_h=stride, depth_multiplier=multiplier, activation=activation,
        )  # fmt: skip
        self.x = y
        return y

    def dense(
        self, channels: int, *, per_channel: bool = False, dead_inputs: float = 0.0, **rest: Any
    ) -> TensorRef:
        """FULLY_CONNECTED over all of the current activation."""
        depth = int(np.prod(self.x.shape))
        weights = self._weights((channels, depth))
        weights[:, self.rng.random(depth) < dead_inputs] = 0
        weights[self.rng.random(channels) < rest.get("dead_outputs", 0.0)] = 0
        y = self.tensor((1, channels), self.x.dtype)
        self.graph.op(
            "FULLY_CONNECTED", self._weighted(weights, channels, 0, rest.get("bias", True), per_channel), [y]
        )
        self.x = y
        return y

    def pool(self, kind: str = "AVERAGE_POOL_2D", size: int = 2, activation: str = "NONE") -> TensorRef:
        """Pool with stride ``size``, VALID."""
        _, height, width, depth = self.x.shape
        y = self.tensor((1, height // size, width // size, depth), self.x.dtype, like=self.x)
        self.graph.op(
            kind, [self.x], [y], padding="VALID", stride_w=size, stride_h=size, filter_width=size,
            filter_height=size, activation=activation,
        )  # fmt: skip
        self.x = y
        return y

    def reshape(self, shape: tuple[int, ...]) -> TensorRef:
        y = self.tensor(shape, self.x.dtype, like=self.x)
        self.graph.op("RESHAPE", [self.x, self.graph.constant(np.array(shape, np.int32))], [y])
        self.x = y
        return y

    def unary(self, name: str, *, same: bool = False, **quantization: Any) -> TensorRef:
        """An elementwise operator; with ``same`` the output is quantized as the input."""
        if name == "LOGISTIC":
            y = self.graph.tensor(self.x.shape, "int8", 1 / 256, -128)
            self._remember(y)
        else:
            y = self.tensor(self.x.shape, self.x.dtype, like=self.x if same else None, **quantization)
        self.graph.op(name, [self.x], [y])
        self.x = y
        return y

    def pad(self, top: int, bottom: int, left: int, right: int) -> TensorRef:
        """PAD over height and width, quantized as its input."""
        _, height, width, depth = self.x.shape
        y = self.tensor((1, height + top + bottom, width + left + right, depth), self.x.dtype, like=self.x)
        table = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        self.graph.op("PAD", [self.x, self.graph.constant(table)], [y])
        self.x = y
        return y

    def mean(self) -> TensorRef:
        """MEAN over height and width, quantized otherwise than its input."""
        return self.mean_over(1, 2)

    def mean_over(self, *axes: int) -> TensorRef:
        """MEAN over these axes, likewise."""
        rank = len(self.x.shape)
        gone = {axis % rank for axis in axes}
        y = self.tensor(tuple(n for axis, n in enumerate(self.x.shape) if axis not in gone), self.x.dtype)
        self.graph.op("MEAN", [self.x, self.graph.constant(np.array(axes, np.int32))], [y], keep_dims=False)
        self.x = y
        return y

    def concat(self, *parts: TensorRef, axis: int = 3) -> TensorRef:
        """CONCATENATION of tensors of one quantization."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        y = self.tensor(tuple(shape), parts[0].dtype, like=parts[0])
        self.graph.op("CONCATENATION", list(parts), [y], axis=axis)
        self.x = y
        return y

    def transpose(self, *order: int) -> TensorRef:
        y = self.tensor(tuple(self.x.shape[axis] for axis in order), self.x.dtype, like=self.x)
        self.graph.op("TRANSPOSE", [self.x, self.graph.constant(np.array(order, np.int32))], [y])
        self.x = y
        return y

    def add(self, left: TensorRef, right: TensorRef, activation: str = "NONE") -> TensorRef:
        y = self.tensor(left.shape, left.dtype)
        self.graph.op("ADD", [left, right], [y], activation=activation)
        self.x = y
        return y

    def case(self, label: str, *outputs: TensorRef, samples: int = 3) -> Case:
        """The finished model with random inputs; without ``outputs`` the current activation is the output."""
        self.graph.output(*(outputs or (self.x,)))
        drawn = [[self._sample(x) for x in self.inputs] for _ in range(samples)]
        return Case(label, self.model.build(), drawn)

    def _sample(self, x: TensorRef) -> Array:
        if x.dtype == "float32":
            return self.rng.normal(size=x.shape).astype(np.float32)
        limits = np.iinfo(x.dtype)
        return self.rng.integers(limits.min, limits.max, x.shape, dtype=x.dtype, endpoint=True)

    def _quantized(self, dtype: str, zero_point: int | None) -> tuple[Any, int]:
        if dtype == "float32":
            return 0.0, 0
        if dtype == "int16":
            return float(np.float32(self.rng.uniform(0.0001, 0.0004))), 0
        point = int(self.rng.integers(-128, 128)) if zero_point is None else zero_point
        return float(np.float32(self.rng.uniform(0.02, 0.1))), point

    def _remember(self, ref: TensorRef) -> None:
        stored = self.graph.tensors[ref.index].quantization
        self.quantization[ref.index] = (
            (float(stored.scale[0]), int(stored.zeroPoint[0])) if stored is not None else (0.0, 0)
        )

    def _weights(self, shape: tuple[int, ...]) -> Array:
        if self.x.dtype == "float32":
            return self.rng.normal(size=shape).astype(np.float32)
        return self.rng.integers(-127, 128, shape, dtype=np.int8)

    def _weighted(
        self, weights: Array, channels: int, axis: int, bias: bool, per_channel: bool = True
    ) -> list[TensorRef | None]:
        """Input, weights and bias; scales such that outputs spread over their range."""
        if self.x.dtype == "float32":
            values = self.rng.normal(size=channels).astype(np.float32)
            return [self.x, self.graph.constant(weights), self.graph.constant(values) if bias else None]
        scale = self.quantization[self.x.index][0]
        count = channels if per_channel else 1
        fan_in = weights.size / channels
        scales = (self.rng.uniform(0.2, 1.0, count) / (127 * np.sqrt(fan_in))).astype(np.float32)
        stored = self.graph.constant(weights, scale=scales, axis=axis)
        if not bias:
            return [self.x, stored, None]
        reach = int(2 / (scale * float(scales.mean())))
        values = self.rng.integers(-reach, reach, channels)
        values = values.astype(np.int64 if self.x.dtype == "int16" else np.int32)
        return [self.x, stored, self.graph.constant(values, scale=scales * np.float32(scale))]


def _window(height: int, width: int, size: int, stride: int, padding: str) -> tuple[int, int]:
    if padding == "SAME":
        return -(-height // stride), -(-width // stride)
    return (height - size) // stride + 1, (width - size) // stride + 1


def applying(*runs: Callable[[Graph, Model], int]) -> tuple[Callable[[Model], None], list[int]]:
    """A preparation for ``differential.check`` that runs passes, and how much it changed each model."""
    changes: list[int] = []

    def prepare(model: Model) -> None:
        changes.append(sum(run(graph, model) for run in runs for graph in model.graphs))

    return prepare, changes
