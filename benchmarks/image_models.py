# SPDX-License-Identifier: Apache-2.0
"""Image models with random weights, for figures of memory: MobileNetV2, and a small U-Net."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef

_SCALE = np.float32(0.05)
_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Of MobileNetV2: expansion, channels, repeats, stride of the first."""


@dataclass
class _Layers:
    """Adds int8 layers to a graph. Outputs spread over their range, so that a wrong byte is seen."""

    graph: GraphBuilder
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def input(self, *shape: int) -> TensorRef:
        return self.graph.input((1, *shape), "int8", _SCALE, 0)

    def convolution(
        self, x: TensorRef, channels: int, taps: int, stride: int = 1, *, relu: bool = True
    ) -> TensorRef:
        weights = self._weights((channels, taps, taps, x.shape[3]), 0, taps * taps * x.shape[3])
        return self._window("CONV_2D", x, weights, stride, relu)

    def depthwise(self, x: TensorRef, stride: int = 1) -> TensorRef:
        weights = self._weights((1, 3, 3, x.shape[3]), 3, 9)
        return self._window("DEPTHWISE_CONV_2D", x, weights, stride, True, depth_multiplier=1)

    def up(self, x: TensorRef) -> TensorRef:
        """Twice the rows and columns, by nearest neighbours."""
        y = self.graph.tensor((1, 2 * x.shape[1], 2 * x.shape[2], x.shape[3]), "int8", _SCALE, -128)
        size = self.graph.constant(np.array(y.shape[1:3], np.int32))
        self.graph.op("RESIZE_NEAREST_NEIGHBOR", [x, size], [y])
        return y

    def down(self, x: TensorRef) -> TensorRef:
        y = self.graph.tensor((1, x.shape[1] // 2, x.shape[2] // 2, x.shape[3]), "int8", _SCALE, -128)
        self.graph.op(
            "MAX_POOL_2D", [x], [y], padding=1, stride_h=2, stride_w=2, filter_height=2, filter_width=2
        )
        return y

    def joined(self, *parts: TensorRef) -> TensorRef:
        channels = sum(part.shape[3] for part in parts)
        y = self.graph.tensor((*parts[0].shape[:3], channels), "int8", _SCALE, -128)
        self.graph.op("CONCATENATION", parts, [y], axis=3)
        return y

    def sum(self, a: TensorRef, b: TensorRef) -> TensorRef:
        y = self.graph.tensor(a.shape, "int8", _SCALE, 0)
        self.graph.op("ADD", [a, b], [y])
        return y

    def mean(self, x: TensorRef) -> TensorRef:
        y = self.graph.tensor((1, x.shape[3]), "int8", _SCALE / np.float32(8), -10)
        self.graph.op("MEAN", [x, self.graph.constant(np.array([1, 2], np.int32))], [y], keep_dims=False)
        return y

    def dense(self, x: TensorRef, outputs: int) -> TensorRef:
        scale = np.float32(0.002)
        weights = self.graph.constant(
            self.rng.integers(-127, 128, (outputs, x.shape[1])).astype(np.int8), scale=scale
        )
        bias = self.graph.constant(np.zeros(outputs, np.int32), scale=scale * _SCALE / np.float32(8))
        y = self.graph.tensor((1, outputs), "int8", np.float32(0.1), 0)
        self.graph.op("FULLY_CONNECTED", [x, weights, bias], [y])
        return y

    def _weights(self, shape: tuple[int, ...], axis: int, fan_in: int) -> list[TensorRef]:
        channels = shape[axis]
        scales = (self.rng.uniform(0.6, 1.4, channels) / (55 * np.sqrt(fan_in))).astype(np.float32)
        values = self.rng.integers(-127, 128, shape).astype(np.int8)
        bias = (self.rng.normal(size=channels) * 500).astype(np.int32)
        return [
            self.graph.constant(values, scale=scales, axis=axis),
            self.graph.constant(bias, scale=scales * _SCALE),
        ]

    def _window(
        self,
        name: str,
        x: TensorRef,
        weights: list[TensorRef],
        stride: int,
        relu: bool,
        **more: int,
    ) -> TensorRef:
        size = [-(-extent // stride) for extent in x.shape[1:3]]
        y = self.graph.tensor((1, *size, weights[1].shape[0]), "int8", _SCALE, -128 if relu else 0)
        options = {"padding": 0, "stride_h": stride, "stride_w": stride, **more}
        self.graph.op(name, [x, *weights], [y], fused_activation_function=1 if relu else 0, **options)
        return y


def mobilenet_v2(width: float, size: int, classes: int = 10) -> bytes:
    """MobileNetV2 as Keras has it, for an image of size x size x 3."""
    model = ModelBuilder()
    layers = _Layers(model.graph())
    x = layers.convolution(layers.input(size, size, 3), _channels(32 * width), 3, 2)
    for expansion, channels, repeats, stride in _BLOCKS:
        for repeat in range(repeats):
            x = _block(layers, x, expansion, _channels(channels * width), stride if repeat == 0 else 1)
    x = layers.convolution(x, _channels(1280 * max(1.0, width)), 1)
    layers.graph.output(layers.dense(layers.mean(x), classes))
    return model.build()


def _channels(wanted: float) -> int:
    """A multiple of eight that is at most a tenth below."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _block(layers: _Layers, x: TensorRef, expansion: int, channels: int, stride: int) -> TensorRef:
    y = x if expansion == 1 else layers.convolution(x, expansion * x.shape[3], 1)
    y = layers.convolution(layers.depthwise(y, stride), channels, 1, relu=False)
    return layers.sum(x, y) if stride == 1 and channels == x.shape[3] else y


def u_net(size: int = 96, channels: int = 8, depth: int = 3) -> bytes:
    """An encoder of double convolutions and pools, a decoder that doubles, joins and convolves: an output per
    pixel."""
    model = ModelBuilder()
    layers = _Layers(model.graph())
    x = layers.input(size, size, 3)
    skips = []
    for level in range(depth):
        x = layers.convolution(layers.convolution(x, channels << level, 3), channels << level, 3)
        skips.append(x)
        x = layers.down(x)
    x = layers.convolution(layers.convolution(x, channels << depth, 3), channels << depth, 3)
    for level in reversed(range(depth)):
        x = layers.joined(layers.convolution(layers.up(x), channels << level, 3), skips[level])
        x = layers.convolution(layers.convolution(x, channels << level, 3), channels << level, 3)
    layers.graph.output(layers.convolution(x, 1, 1, relu=False))
    return model.build()
