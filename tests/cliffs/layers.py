# SPDX-License-Identifier: Apache-2.0
"""Single layers of any shape, and those that differ from one of them a little.

A layer is a value: the same fields give the same model. ``neighbours`` changes one field by one step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

Steps = dict[str, tuple[Any, ...]]
"""Per field the values that it may take, neighbours side by side."""
_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 20, 21)
_CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 16, 17, 20, 24, 25, 31, 32, 33, 40, 48, 64, 65)
_FLAG = (False, True)
_FACTORS = ("plain", "small", "tiny", "large", "wide")
"""Of channels: alike; one of 2^-14; one of 0; one of 1.4; spread over 2^-4 to 2^-12."""
_ZERO_POINTS = (-128, 5)
_SEED = 185
_OTHER_KERNELS = frozenset({"dtype", "state", "name", "average", "source", "target", "split"})
"""Fields with which another computation is asked for: a neighbour has the same."""


@dataclass(frozen=True)
class Layer:
    """``family``: what it is compared among."""

    @property
    def family(self) -> str:
        return type(self).__name__.lower()

    @classmethod
    def steps(cls) -> Steps:
        raise NotImplementedError

    def valid(self) -> bool:
        """Whether there is such a layer."""
        return True

    def operations(self) -> int:
        """What a layer without products does, where that is more than to go over its elements."""
        return 0

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        raise NotImplementedError

    def case(self) -> Case:
        """The model, random inputs and extreme ones."""
        return case(str(self), Random(_SEED), lambda graph: self.build(graph, Random(_SEED)))

    def model(self) -> bytes:
        """The .tflite file."""
        return self.case().model

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)}' for f in fields(self))})"
        )


def draw(kind: type[Layer], r: Random) -> Layer:
    """Any layer of a kind. Sizes near the common ones are as likely as all others together."""
    steps = kind.steps()
    while True:
        layer = kind(**{name: r.choice(values) for name, values in steps.items()})
        if layer.valid():
            return layer


def neighbours(layer: Layer) -> Iterator[Layer]:
    """One step further in each field that does not ask for something else."""
    shapes = {name: values for name, values in layer.steps().items() if name not in _OTHER_KERNELS}
    for name, weighted in shapes.items():
        values = tuple(dict.fromkeys(weighted))
        at = values.index(getattr(layer, name))
        for other in values[max(0, at - 1) : at] + values[at + 1 : at + 2]:
            near = replace(layer, **{name: other})
            if near.valid():
                yield near


def _factors(kind: str, count: int, r: Random) -> list[float]:
    """From sums to outputs, per channel."""
    plain = np.full(count, 0.7 * 2.0**-7)
    if kind == "wide":
        return [float(0.7 * 2.0**e) for e in r.rng.uniform(-12, -4, count)]
    plain[-1] = {"small": 0.7 * 2.0**-14, "tiny": 2.0**-45, "large": 1.4}.get(kind, plain[-1])
    return [float(factor) for factor in plain]


def _activation(
    graph: GraphBuilder, shape: tuple[int, ...], dtype: str, given: bool, zero_point: int = 3
) -> TensorRef:
    make = graph.input if given else graph.tensor
    if dtype == "float32":
        return make(shape, dtype)
    return make(shape, dtype, scale=0.05, zero_point=zero_point if dtype == "int8" else 0)


def _operands(
    graph: GraphBuilder, r: Random, shape: tuple[int, ...], axis: int, layer: Any
) -> list[TensorRef]:
    """Weights with a factor per channel along ``axis``, and a bias."""
    outputs = shape[axis]
    if layer.dtype == "float32":
        return [
            graph.constant(r.rng.normal(size=shape).astype(np.float32)),
            graph.constant(r.rng.normal(size=outputs).astype(np.float32)),
        ]
    # Sums over deep filters grow by the root of their taps: so do outputs that they are scaled to.
    depth = int(np.prod(shape)) // outputs
    scale = np.sqrt(9 / max(1, depth))
    factors = np.array(_factors(layer.factors, outputs, r)) * scale
    weights = r.rng.integers(-127, 128, shape).astype(np.int8)
    bias = r.rng.integers(-9000, 9000, outputs)
    return [
        graph.constant(weights, scale=factors, zero_point=[0] * outputs, axis=axis),
        graph.constant(bias, dtype="int64" if layer.dtype == "int16" else "int32"),
    ]


@dataclass(frozen=True)
class Window(Layer):
    """What convolutions share."""

    height: int
    width: int
    inputs: int
    taps: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    same: bool
    factors: str
    zero_point: int
    batch: int
    relu: bool
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        taps = (
            (1, 1),
            (1, 3),
            (1, 5),
            (1, 9),
            (2, 2),
            (3, 1),
            (5, 1),
            (10, 1),
            (3, 3),
            (3, 5),
            (4, 4),
            (5, 5),
            (7, 7),
            (2, 7),
            (6, 3),
            (1, 16),
        )
        return {
            "height": _SIZES,
            "width": _SIZES,
            "inputs": _CHANNELS,
            "taps": taps,
            "stride": ((1, 1), (1, 1), (2, 2), (1, 2), (2, 1), (3, 3), (4, 4), (1, 5)),
            "dilation": ((1, 1), (1, 1), (1, 1), (2, 2), (1, 3)),
            "same": _FLAG,
            "factors": ("plain", *_FACTORS),
            "zero_point": _ZERO_POINTS,
            "batch": (1, 1, 1, 1, 2),
            "relu": _FLAG,
            "dtype": ("int8",),
        }

    def valid(self) -> bool:
        reach = [(t - 1) * d + 1 for t, d in zip(self.taps, self.dilation, strict=True)]
        inside = reach[0] <= self.height and reach[1] <= self.width
        undilated = self.dilation == (1, 1) or self.stride == (1, 1)
        return (
            undilated and inside and self.dtype in ("int8", "int16", "float32") and self.products() < 120_000
        )

    def sizes(self) -> tuple[int, int]:
        """Height and width of the output."""
        given = (self.height, self.width)
        if self.same:
            return tuple(-(-n // s) for n, s in zip(given, self.stride, strict=True))  # type: ignore[return-value]
        reach = [(t - 1) * d + 1 for t, d in zip(self.taps, self.dilation, strict=True)]
        return tuple((n - k) // s + 1 for n, k, s in zip(given, reach, self.stride, strict=True))  # type: ignore[return-value]

    def products(self) -> int:
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        return {
            "padding": "SAME" if self.same else "VALID",
            "activation": "RELU" if self.relu else "NONE",
            "stride_h": self.stride[0],
            "stride_w": self.stride[1],
            "dilation_h_factor": self.dilation[0],
            "dilation_w_factor": self.dilation[1],
        }

    def add(
        self, graph: GraphBuilder, r: Random, name: str, weights: tuple[int, ...], axis: int, **extra: int
    ) -> tuple[list[TensorRef], list[TensorRef]]:
        x = _activation(graph, (self.batch, self.height, self.width, self.inputs), self.dtype, True)
        operands = _operands(graph, r, weights, axis, self)
        y = _activation(graph, (self.batch, *self.sizes(), weights[axis]), self.dtype, False, self.zero_point)
        graph.op(name, [x, *operands], [y], **self.options(), **extra)
        return [x], [y]


@dataclass(frozen=True)
class Conv(Window):
    outputs: int
    groups: int

    @classmethod
    def steps(cls) -> Steps:
        return {**super().steps(), "outputs": _CHANNELS, "groups": (1, 1, 1, 1, 1, 2, 3, 4)}

    def valid(self) -> bool:
        fits = self.inputs % self.groups == 0 == self.outputs % self.groups
        return fits and (self.groups == 1 or self.inputs > self.groups) and super().valid()

    def products(self) -> int:
        rows, columns = self.sizes()
        taps = self.taps[0] * self.taps[1]
        return self.batch * rows * columns * self.outputs * taps * self.inputs // self.groups

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        return self.add(graph, r, "CONV_2D", (self.outputs, *self.taps, self.inputs // self.groups), 0)


@dataclass(frozen=True)
class Conv16(Conv):
    """int16 activations."""

    @classmethod
    def steps(cls) -> Steps:
        return {
            **super().steps(),
            "dtype": ("int16",),
            "groups": (1,),
            "dilation": ((1, 1),),
            "batch": (1, 1, 2),
        }


@dataclass(frozen=True)
class ConvFloat(Conv):
    """float32."""

    @classmethod
    def steps(cls) -> Steps:
        return {**super().steps(), "dtype": ("float32",), "groups": (1,), "factors": ("plain",)}

    def valid(self) -> bool:
        return super().valid() and self.products() < 20_000


@dataclass(frozen=True)
class Depthwise(Window):
    multiplier: int

    @classmethod
    def steps(cls) -> Steps:
        return {**super().steps(), "multiplier": (1, 1, 1, 1, 2, 3, 4, 8)}

    def products(self) -> int:
        rows, columns = self.sizes()
        return self.batch * rows * columns * self.inputs * self.multiplier * self.taps[0] * self.taps[1]

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (1, *self.taps, self.inputs * self.multiplier)
        return self.add(graph, r, "DEPTHWISE_CONV_2D", shape, 3, depth_multiplier=self.multiplier)


@dataclass(frozen=True)
class Depthwise16(Depthwise):
    """int16 activations."""

    @classmethod
    def steps(cls) -> Steps:
        return {**super().steps(), "dtype": ("int16",)}


@dataclass(frozen=True)
class DepthwiseFloat(Depthwise):
    """float32."""

    @classmethod
    def steps(cls) -> Steps:
        return {**super().steps(), "dtype": ("float32",), "factors": ("plain",)}

    def valid(self) -> bool:
        return super().valid() and self.products() < 20_000


@dataclass(frozen=True)
class Transposed(Window):
    """TRANSPOSE_CONV."""

    outputs: int

    @classmethod
    def steps(cls) -> Steps:
        return {**super().steps(), "outputs": _CHANNELS, "dilation": ((1, 1),), "relu": (False,)}

    def sizes(self) -> tuple[int, int]:
        given = zip((self.height, self.width), self.taps, self.stride, strict=True)
        return tuple(n * s if self.same else (n - 1) * s + t for n, t, s in given)  # type: ignore[return-value]

    def valid(self) -> bool:
        wide = all(t >= s for t, s in zip(self.taps, self.stride, strict=True))
        return wide and self.products() < 120_000

    def products(self) -> int:
        taps = self.taps[0] * self.taps[1]
        return self.batch * self.height * self.width * taps * self.inputs * self.outputs

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        x = _activation(graph, (self.batch, self.height, self.width, self.inputs), self.dtype, True)
        weights, bias = _operands(graph, r, (self.outputs, *self.taps, self.inputs), 0, self)
        shape = (self.batch, *self.sizes(), self.outputs)
        y = _activation(graph, shape, self.dtype, False, self.zero_point)
        graph.op(
            "TRANSPOSE_CONV",
            [graph.constant(shape, dtype="int32"), weights, x, bias],
            [y],
            version=3,
            padding="SAME" if self.same else "VALID",
            stride_h=self.stride[0],
            stride_w=self.stride[1],
            activation="NONE",
        )
        return [x], [y]


@dataclass(frozen=True)
class Dense(Layer):
    batch: int
    inputs: int
    outputs: int
    per_channel: bool
    factors: str
    zero_point: int
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        inputs = (*_CHANNELS, 100, 127, 128, 129, 250, 397, 512)
        return {
            "batch": (1, 1, 1, 2, 3, 4, 5, 8),
            "inputs": inputs,
            "outputs": _CHANNELS,
            "per_channel": _FLAG,
            "factors": _FACTORS,
            "zero_point": _ZERO_POINTS,
            "dtype": ("int8",),
        }

    def valid(self) -> bool:
        return self.batch * self.inputs * self.outputs < 60_000

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        x = _activation(graph, (self.batch, self.inputs), self.dtype, True)
        if self.per_channel or self.dtype == "float32":
            operands = _operands(graph, r, (self.outputs, self.inputs), 0, self)
        else:
            factor = _factors(self.factors, 1, r)[0] * np.sqrt(9 / self.inputs)
            weights = r.rng.integers(-127, 128, (self.outputs, self.inputs)).astype(np.int8)
            bias_type = "int64" if self.dtype == "int16" else "int32"
            operands = [
                graph.constant(weights, scale=factor),
                graph.constant(r.rng.integers(-9000, 9000, self.outputs), dtype=bias_type),
            ]
        y = _activation(graph, (self.batch, self.outputs), self.dtype, False, self.zero_point)
        graph.op("FULLY_CONNECTED", [x, *operands], [y], activation="NONE")
        return [x], [y]


@dataclass(frozen=True)
class Dense16(Dense):
    """int16 activations."""

    @classmethod
    def steps(cls) -> Steps:
        return {
            **super().steps(),
            "dtype": ("int16",),
            "factors": ("plain", "small"),
            "per_channel": (False,),
        }


@dataclass(frozen=True)
class DenseFloat(Dense):
    """float32."""

    @classmethod
    def steps(cls) -> Steps:
        return {**super().steps(), "dtype": ("float32",), "factors": ("plain",), "per_channel": (False,)}

    def valid(self) -> bool:
        return self.batch * self.inputs * self.outputs < 10_000


@dataclass(frozen=True)
class Matmul(Layer):
    """BATCH_MATMUL."""

    batch: int
    rows: int
    depth: int
    columns: int
    adjoint: bool
    constant: bool

    @classmethod
    def steps(cls) -> Steps:
        sizes = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 20, 24, 31, 32, 40)
        return {
            "batch": (1, 2, 4),
            "rows": sizes,
            "depth": sizes,
            "columns": sizes,
            "adjoint": _FLAG,
            "constant": _FLAG,
        }

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((self.batch, self.rows, self.depth), "int8", 0.02, 3)
        shape = (self.batch, *((self.columns, self.depth) if self.adjoint else (self.depth, self.columns)))
        if self.constant:
            inputs = [x]
            other = graph.constant(r.values(shape, "int8"), 0.02, 0)
        else:
            other = graph.input(shape, "int8", 0.02, -1)
            inputs = [x, other]
        y = graph.tensor((self.batch, self.rows, self.columns), "int8", 0.06 * self.depth**0.5, 0)
        graph.op("BATCH_MATMUL", [x, other], [y], adj_x=False, adj_y=self.adjoint)
        return inputs, [y]


@dataclass(frozen=True)
class Svdf(Layer):
    batch: int
    inputs: int
    units: int
    rank: int
    memory: int
    state: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "batch": (1, 1, 2),
            "inputs": _CHANNELS,
            "units": (1, 2, 3, 4, 5, 8, 16, 17, 32, 64),
            "rank": (1, 2),
            "memory": (1, 2, 3, 4, 5, 8, 10, 16),
            "state": ("int8", "int16"),
        }

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        filters = self.units * self.rank
        small = 256 if self.state == "int16" else 1
        x = graph.input((self.batch, self.inputs), "int8", 0.05, 3)
        features = graph.constant(r.values((filters, self.inputs), "int8"), 0.01)
        times = graph.constant(r.values((filters, self.memory), self.state), 0.01 / small)
        bias = graph.constant(r.rng.integers(-5000, 5000, self.units), 0.001 / small**2, dtype="int32")
        state = graph.tensor((self.batch, filters * self.memory), self.state, 0.1 / small, variable=True)
        y = graph.tensor((self.batch, self.units), "int8", 0.1, -4)
        graph.op("SVDF", [x, features, times, bias, state], [y], rank=self.rank, activation="RELU")
        return [x], [y]


@dataclass(frozen=True)
class Lstm(Layer):
    batch: int
    steps_: int
    inputs: int
    units: int
    time_major: bool
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        sizes = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 20, 24, 31, 32)
        return {
            "batch": (1, 1, 2),
            "steps_": (1, 2, 5, 10),
            "inputs": sizes,
            "units": sizes,
            "time_major": _FLAG,
            "dtype": ("int8", "int16"),
        }

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        rows = (self.steps_, self.batch) if self.time_major else (self.batch, self.steps_)
        small = 1 if self.dtype == "int8" else 1 / 256
        x = graph.input((*rows, self.inputs), self.dtype, 0.02 * small, 0)
        sides = [
            [graph.constant(np.maximum(r.values((self.units, depth), "int8"), -127), 0.01) for _ in range(4)]
            for depth in (self.inputs, self.units)
        ]
        bias = "int32" if self.dtype == "int8" else "int64"
        biases = [graph.constant(r.rng.normal(size=self.units) * 2000, dtype=bias) for _ in range(4)]
        hidden = graph.tensor((self.batch, self.units), self.dtype, 1 / 128 * small, variable=True)
        cell = graph.tensor((self.batch, self.units), "int16", 2.0**-11, variable=True)
        y = graph.tensor((*rows, self.units), self.dtype, 1 / 128 * small)
        graph.op(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [x, *sides[0], *sides[1], None, None, None, *biases, None, None, hidden, cell, *[None] * 4],
            [y],
            activation="TANH",
            cell_clip=10.0,
            time_major=self.time_major,
        )
        return [x], [y]


@dataclass(frozen=True)
class Pool(Layer):
    height: int
    width: int
    channels: int
    taps: tuple[int, int]
    stride: tuple[int, int]
    same: bool
    average: bool
    batch: int
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "height": _SIZES,
            "width": _SIZES,
            "channels": _CHANNELS,
            "taps": ((1, 2), (1, 3), (2, 1), (3, 1), (2, 2), (3, 3), (4, 4), (5, 5), (8, 8)),
            "stride": ((1, 1), (1, 2), (2, 1), (2, 2), (3, 3)),
            "same": _FLAG,
            "average": _FLAG,
            "batch": (1, 1, 2),
            "dtype": ("int8", "int8", "int8", "int16", "float32"),
        }

    def valid(self) -> bool:
        inside = self.taps[0] <= self.height and self.taps[1] <= self.width
        return inside and self.height * self.width * self.channels < 8000

    def sizes(self) -> list[int]:
        """Height and width of the output."""
        given = zip((self.height, self.width), self.taps, self.stride, strict=True)
        return [-(-n // s) if self.same else (n - t) // s + 1 for n, t, s in given]

    def operations(self) -> int:
        rows, columns = self.sizes()
        return self.batch * rows * columns * self.channels * self.taps[0] * self.taps[1]

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        sizes = self.sizes()
        x = _activation(graph, (self.batch, self.height, self.width, self.channels), self.dtype, True)
        y = _activation(graph, (self.batch, *sizes, self.channels), self.dtype, False)
        graph.op(
            "AVERAGE_POOL_2D" if self.average else "MAX_POOL_2D",
            [x],
            [y],
            padding="SAME" if self.same else "VALID",
            stride_h=self.stride[0],
            stride_w=self.stride[1],
            filter_height=self.taps[0],
            filter_width=self.taps[1],
            activation="NONE",
        )
        return [x], [y]


@dataclass(frozen=True)
class Reduce(Layer):
    name: str
    shape: tuple[int, int, int]
    axes: tuple[int, ...]
    keep: bool
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "name": ("MEAN", "MEAN", "SUM", "REDUCE_MAX"),
            "shape": _IMAGES,
            "axes": ((1, 2), (1,), (2,), (3,), (1, 2, 3), (2, 3)),
            "keep": _FLAG,
            "dtype": ("int8", "int8", "int16", "float32"),
        }

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (1, *self.shape)
        x = _activation(graph, shape, self.dtype, True)
        kept = tuple(
            1 if a in self.axes else n for a, n in enumerate(shape) if self.keep or a not in self.axes
        )
        if self.name == "REDUCE_MAX":
            y = _activation(graph, kept, self.dtype, False, 3)
        elif self.dtype == "float32":
            y = graph.tensor(kept, "float32")
        else:
            y = graph.tensor(kept, self.dtype, 0.04, 4 if self.dtype == "int8" else 0)
        graph.op(self.name, [x, graph.constant(self.axes, dtype="int32")], [y], keep_dims=self.keep)
        return [x], [y]


_IMAGES = (
    (1, 1, 16),
    (1, 20, 8),
    (1, 20, 9),
    (3, 3, 5),
    (4, 4, 1),
    (4, 4, 12),
    (5, 7, 4),
    (8, 8, 3),
    (8, 8, 16),
    (8, 8, 17),
    (10, 1, 40),
    (10, 10, 1),
    (10, 10, 10),
    (40, 1, 24),
    (49, 10, 1),
    (16, 16, 2),
    (1, 1, 256),
    (2, 2, 64),
)


@dataclass(frozen=True)
class Binary(Layer):
    """Of two inputs, of which the second is repeated along some axes."""

    name: str
    shape: tuple[int, int, int]
    repeated: tuple[int, ...]
    constant: bool
    relu: bool
    swapped: bool
    dtype: str
    alike: bool

    @classmethod
    def steps(cls) -> Steps:
        return {
            "name": ("ADD", "SUB", "MUL", "MAXIMUM"),
            "shape": _IMAGES,
            "repeated": ((), (), (0, 1), (2,), (0,), (0, 1, 2), (1,)),
            "constant": _FLAG,
            "relu": _FLAG,
            "swapped": (False, False, True),
            "dtype": ("int8", "int8", "int8", "int16", "float32"),
            "alike": _FLAG,
        }

    def valid(self) -> bool:
        return self.name != "MAXIMUM" or not self.relu

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        small = tuple(1 if axis in self.repeated else n for axis, n in enumerate(self.shape))
        scales = [0.05, 0.05 if self.alike or self.name == "MAXIMUM" else 0.031, 0.05]
        zero = 3 if self.dtype == "int8" else 0
        known: list[dict[str, Any]] = [
            {} if self.dtype == "float32" else {"scale": scale, "zero_point": zero} for scale in scales
        ]
        x = graph.input((1, *self.shape), self.dtype, **known[0])
        if self.constant:
            other, inputs = graph.constant(r.values((1, *small), self.dtype), **known[1]), [x]
        else:
            other = graph.input((1, *small), self.dtype, **known[1])
            inputs = [x, other]
        y = graph.tensor((1, *self.shape), self.dtype, **known[2])
        operands = [other, x] if self.swapped else [x, other]
        options = {} if self.name == "MAXIMUM" else {"activation": "RELU" if self.relu else "NONE"}
        graph.op(self.name, operands, [y], **options)
        return inputs, [y]


@dataclass(frozen=True)
class Unary(Layer):
    name: str
    shape: tuple[int, int, int]
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "name": (
                "LOGISTIC",
                "TANH",
                "RELU",
                "RELU6",
                "LEAKY_RELU",
                "HARD_SWISH",
                "SOFTMAX",
                "ABS",
                "SQUARE",
                "EXP",
            ),
            "shape": _IMAGES,
            "dtype": ("int8", "int8", "int16", "float32"),
        }

    def valid(self) -> bool:
        float_only, no16 = ("SQUARE", "EXP"), ("HARD_SWISH", "RELU", "RELU6", "SOFTMAX")
        return not (
            (self.name in float_only and self.dtype != "float32")
            or (self.name in no16 and self.dtype == "int16")
        )

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (1, *self.shape)
        x = _activation(graph, shape, self.dtype, True)
        fixed = {
            ("LOGISTIC", "int8"): (1 / 256, -128),
            ("TANH", "int8"): (1 / 128, 0),
            ("SOFTMAX", "int8"): (1 / 256, -128),
            ("LOGISTIC", "int16"): (1 / 32768, 0),
            ("TANH", "int16"): (1 / 32768, 0),
        }
        known = fixed.get((self.name, self.dtype))
        if known is None:
            y = _activation(graph, shape, self.dtype, False, 3)
        else:
            y = graph.tensor(shape, self.dtype, *known)
        options: dict[str, Any] = {"LEAKY_RELU": {"alpha": 0.1}, "SOFTMAX": {"beta": 1.0}}.get(self.name, {})
        graph.op(self.name, [x], [y], **options)
        return [x], [y]


@dataclass(frozen=True)
class Join(Layer):
    """CONCATENATION."""

    shape: tuple[int, int, int]
    axis: int
    other: int
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "shape": _IMAGES,
            "axis": (1, 2, 3),
            "other": (1, 2, 3, 4, 7, 8, 16),
            "dtype": ("int8", "int8", "int16", "float32"),
        }

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        second = tuple(self.other if axis + 1 == self.axis else n for axis, n in enumerate(self.shape))
        whole = tuple(a + self.other if i + 1 == self.axis else a for i, a in enumerate(self.shape))
        x = _activation(graph, (1, *self.shape), self.dtype, True)
        z = _activation(graph, (1, *second), self.dtype, True)
        y = _activation(graph, (1, *whole), self.dtype, False)
        graph.op("CONCATENATION", [x, z], [y], axis=self.axis, activation="NONE")
        return [x, z], [y]


@dataclass(frozen=True)
class JoinMany(Layer):
    """CONCATENATION of several, each with other extents along the axis."""

    shape: tuple[int, int, int]
    axis: int
    parts: int
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "shape": _IMAGES,
            "axis": (1, 2, 3),
            "parts": (3, 4, 6, 9),
            "dtype": ("int8", "int8", "int16", "float32"),
        }

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        extents = [self.shape[self.axis - 1] // (1 + part % 3) or 1 for part in range(self.parts)]
        inputs = [_activation(graph, self._with(extent), self.dtype, True) for extent in extents]
        y = _activation(graph, self._with(sum(extents)), self.dtype, False)
        graph.op("CONCATENATION", inputs, [y], axis=self.axis, activation="NONE")
        return inputs, [y]

    def _with(self, extent: int) -> tuple[int, ...]:
        return tuple(extent if a == self.axis else n for a, n in enumerate((1, *self.shape)))


@dataclass(frozen=True)
class Scores(Layer):
    """SOFTMAX and LOG_SOFTMAX of rows of any length."""

    name: str
    rows: int
    depth: int
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "name": ("SOFTMAX", "SOFTMAX", "LOG_SOFTMAX"),
            "rows": (1, 1, 2, 7, 16),
            "depth": (2, 3, 5, 10, 11, 12, 23, 40, 101),
            "dtype": ("int8", "int8", "int16", "float32"),
        }

    def valid(self) -> bool:
        return self.name == "SOFTMAX" or self.dtype == "float32"

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (self.rows, self.depth)
        x = _activation(graph, shape, self.dtype, True)
        scales = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)}
        y = graph.tensor(shape, self.dtype, *scales.get(self.dtype, ()))
        graph.op(self.name, [x], [y], **({"beta": 1.0} if self.name == "SOFTMAX" else {}))
        return [x], [y]


@dataclass(frozen=True)
class Slopes(Layer):
    """PRELU, with a slope per channel or per element."""

    shape: tuple[int, int, int]
    shared: bool
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {"shape": _IMAGES, "shared": _FLAG, "dtype": ("int8", "int8", "float32")}

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        x = _activation(graph, (1, *self.shape), self.dtype, True)
        slopes = (1, 1, self.shape[2]) if self.shared else self.shape
        known = {} if self.dtype == "float32" else {"scale": 0.004, "zero_point": 1}
        alpha = graph.constant(r.values(slopes, self.dtype), **known)
        y = _activation(graph, (1, *self.shape), self.dtype, False)
        graph.op("PRELU", [x, alpha], [y])
        return [x], [y]


@dataclass(frozen=True)
class Cut(Layer):
    """STRIDED_SLICE and SPLIT."""

    shape: tuple[int, int, int]
    axis: int
    parts: int
    split: bool
    stride: int
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "shape": _IMAGES,
            "axis": (1, 2, 3),
            "parts": (2, 3, 4),
            "split": _FLAG,
            "stride": (1, 1, 2),
            "dtype": ("int8", "int8", "int16", "float32"),
        }

    def valid(self) -> bool:
        extent = self.shape[self.axis - 1]
        return extent > self.parts and (not self.split or extent % self.parts == 0)

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (1, *self.shape)
        x = _activation(graph, shape, self.dtype, True)
        if self.split:
            each = tuple(n // self.parts if a == self.axis else n for a, n in enumerate(shape))
            outputs = [_activation(graph, each, self.dtype, False) for _ in range(self.parts)]
            graph.op("SPLIT", [graph.constant(self.axis, dtype="int32"), x], outputs, num_splits=self.parts)
            return [x], outputs
        begin, end, step = [0] * 4, list(shape), [1] * 4
        begin[self.axis], step[self.axis] = 1, self.stride
        out = tuple(-(-(e - b) // s) for b, e, s in zip(begin, end, step, strict=True))
        y = _activation(graph, out, self.dtype, False)
        operands = [graph.constant(value, dtype="int32") for value in (begin, end, step)]
        graph.op(
            "STRIDED_SLICE",
            [x, *operands],
            [y],
            begin_mask=0,
            end_mask=0,
            ellipsis_mask=0,
            new_axis_mask=0,
            shrink_axis_mask=0,
        )
        return [x], [y]


@dataclass(frozen=True)
class Pad(Layer):
    shape: tuple[int, int, int]
    pads: tuple[tuple[int, int], ...]
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        pads = (
            ((1, 1), (1, 1), (0, 0)),
            ((2, 0), (0, 0), (0, 0)),
            ((0, 0), (2, 0), (0, 0)),
            ((0, 1), (0, 1), (0, 0)),
            ((0, 0), (0, 0), (0, 3)),
            ((3, 2), (2, 3), (0, 0)),
        )
        return {"shape": _IMAGES, "pads": pads, "dtype": ("int8", "int8", "int16", "float32")}

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        x = _activation(graph, (1, *self.shape), self.dtype, True)
        whole = tuple(n + a + b for n, (a, b) in zip(self.shape, self.pads, strict=True))
        y = _activation(graph, (1, *whole), self.dtype, False)
        graph.op("PAD", [x, graph.constant([(0, 0), *self.pads], dtype="int32")], [y])
        return [x], [y]


@dataclass(frozen=True)
class Transpose(Layer):
    shape: tuple[int, int, int]
    order: tuple[int, ...]
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        orders = ((0, 3, 1, 2), (0, 2, 3, 1), (0, 2, 1, 3), (0, 1, 3, 2), (0, 3, 2, 1))
        return {"shape": _IMAGES, "order": orders, "dtype": ("int8", "int8", "int16", "float32")}

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (1, *self.shape)
        x = _activation(graph, shape, self.dtype, True)
        y = _activation(graph, tuple(shape[axis] for axis in self.order), self.dtype, False)
        graph.op("TRANSPOSE", [x, graph.constant(self.order, dtype="int32")], [y])
        return [x], [y]


@dataclass(frozen=True)
class Resize(Layer):
    name: str
    shape: tuple[int, int, int]
    to: tuple[int, int]
    half_pixel: bool
    dtype: str

    @classmethod
    def steps(cls) -> Steps:
        return {
            "name": ("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"),
            "shape": _IMAGES,
            "to": ((4, 4), (8, 8), (9, 7), (16, 16), (20, 1)),
            "half_pixel": _FLAG,
            "dtype": ("int8", "float32"),
        }

    def operations(self) -> int:
        """Four products of each output where it lies between inputs."""
        return self.to[0] * self.to[1] * self.shape[2] * (4 if self.name == "RESIZE_BILINEAR" else 1)

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        x = _activation(graph, (1, *self.shape), self.dtype, True)
        y = _activation(graph, (1, *self.to, self.shape[2]), self.dtype, False)
        operands = [x, graph.constant(self.to, dtype="int32")]
        graph.op(self.name, operands, [y], align_corners=False, half_pixel_centers=self.half_pixel)
        return [x], [y]


@dataclass(frozen=True)
class Convert(Layer):
    """QUANTIZE and DEQUANTIZE."""

    shape: tuple[int, int, int]
    source: str
    target: str
    steps_: int

    @classmethod
    def steps(cls) -> Steps:
        kinds = ("int8", "int16", "float32")
        return {"shape": _IMAGES, "source": kinds, "target": kinds, "steps_": (0, 1)}

    def valid(self) -> bool:
        pairs = {
            ("float32", "int8"),
            ("int8", "float32"),
            ("int8", "int8"),
            ("int16", "float32"),
            ("float32", "int16"),
            ("int16", "int8"),
            ("int8", "int16"),
        }
        return (self.source, self.target) in pairs

    def build(self, graph: GraphBuilder, r: Random) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (1, *self.shape)
        x = _activation(graph, shape, self.source, True)
        if self.target == "float32":
            y = graph.tensor(shape, "float32")
        else:
            scale = (0.031, 0.06)[self.steps_] / (256 if self.target == "int16" else 1)
            y = graph.tensor(shape, self.target, scale, 2 if self.target == "int8" else 0)
        graph.op("DEQUANTIZE" if self.target == "float32" else "QUANTIZE", [x], [y])
        return [x], [y]


KINDS: tuple[type[Layer], ...] = (
    Conv,
    Depthwise,
    Dense,
    Transposed,
    Conv16,
    Depthwise16,
    Dense16,
    Matmul,
    Svdf,
    Lstm,
    Pool,
    Reduce,
    Binary,
    Unary,
    Join,
    JoinMany,
    Scores,
    Slopes,
    Cut,
    Pad,
    Transpose,
    Resize,
    Convert,
    ConvFloat,
    DepthwiseFloat,
    DenseFloat,
)
"""Every family."""
