# SPDX-License-Identifier: Apache-2.0
"""Sequences that optimizing passes look for, as converters leave them: random layers rarely make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.support.flatbuffer_builder import TensorRef
from tests.support.graphs import elementwise, moving, weighted
from tests.support.graphs.grower import QUANTIZED, Grower


def _padded_convolution(g: Grower) -> None:
    x = g.pick(*QUANTIZED, low=4)
    table = np.array([[0, 0], *([g.r.integer(0, 1), 1] for _ in range(2)), [0, 0]], np.int32)
    g.add("PAD", [x, g.graph.constant(table)], g.like(x, np.array(x.shape) + table.sum(axis=1)))
    weighted.LAYERS[g.r.choice(("CONV_2D", "DEPTHWISE_CONV_2D"))](g)


def _activated(g: Grower) -> None:
    """An activation of its own behind what can take it over."""
    _LAYERS[g.r.choice(ACTIVATED)](g)
    made = g.values[-1]
    if made.dtype in (*QUANTIZED, "float32"):
        g.add(g.r.choice(("RELU", "RELU6")), [made], g.like(made))


def _twins(g: Grower) -> None:
    """The same operator twice on the same input, and something that reads both."""
    x = g.pick(*QUANTIZED, low=2)
    axis = np.array(g.r.integer(0, len(x.shape) - 1), np.int32)
    parts = [g.like(x) for _ in range(2)]
    name = g.r.choice(("ABS", "REVERSE_V2"))
    for part in parts:
        axes = [g.graph.constant(axis.reshape(1))] if name == "REVERSE_V2" and x.dtype == "int8" else []
        g.add("REVERSE_V2" if axes else "ABS", [x, *axes], part)
    g.add(g.r.choice(("ADD", "SUB")), parts, g.tensor(x.shape, x.dtype, g.wider(*parts)))


def _flatten_as_keras_does(g: Grower) -> None:
    """SHAPE, STRIDED_SLICE, PACK and RESHAPE, from a dynamic batch."""
    x = g.pick("int8", low=2)
    shape, batch, target = (g.tensor(s, "int32") for s in ((len(x.shape),), (), (2,)))
    g.add("SHAPE", [x], shape, out_type="int32")
    g.add("STRIDED_SLICE", [shape, g.integers(0), g.integers(1), g.integers(1)], batch, shrink_axis_mask=1)
    rest = int(np.prod(x.shape[1:]))
    g.add("PACK", [batch, g.graph.constant(np.array(rest, np.int32))], target, values_count=2, axis=0)
    g.add("RESHAPE", [x, target], g.like(x, (x.shape[0], rest)))


def _round_trip(g: Grower) -> None:
    """DEQUANTIZE, and QUANTIZE back to the same or another scale."""
    x = g.pick(*QUANTIZED)
    real = g.tensor(x.shape, "float32")
    g.add("DEQUANTIZE", [x], real)
    g.add("QUANTIZE", [real], g.like(x) if g.r.chance(0.8) else g.tensor(x.shape, x.dtype))


def _convolutions(g: Grower) -> None:
    """A convolution with dead channels, what treats channels alike, and a convolution that reads them."""
    between = g.r.choice(("AVERAGE_POOL_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "PAD", "RELU"))
    _chain(g, g.pick(*QUANTIZED, low=4), ["CONV_2D", between, "CONV_2D"])


def _constant(g: Grower) -> None:
    """A constant that a few layers work on."""
    dtype = g.r.choice(("int8", "int32", "float32") if g.floats else ("int8", "int32"))
    x = g.random_constant(g.r.shape(g.r.integer(2, 3), 1, 4), dtype, g.quantization(dtype))
    names = [*moving.LAYERS, *_FOLDED] if dtype != "int32" else [*moving.LAYERS]
    _chain(g, x, [g.r.choice(names) for _ in range(g.r.integer(1, 3))])


def _chain(g: Grower, x: TensorRef, names: Sequence[str]) -> None:
    """Layers that read nothing but x and each other."""
    kept, g.values = g.values, [x]
    try:
        for name in names:
            _LAYERS[name](g)
    finally:
        g.values = kept + g.values[1:]


_FOLDED = ("ADD", "EQUAL", "LESS", "MAXIMUM", "MINIMUM", "MUL", "QUANTIZE", "SUB")
_LAYERS = {**weighted.LAYERS, **elementwise.LAYERS, **moving.LAYERS}
ACTIVATED = (
    "ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL", "SUB",
    "TRANSPOSE_CONV",
)  # fmt: skip
"""What can take an activation over."""

PATTERNS: tuple[Callable[[Grower], None], ...] = (
    _padded_convolution, _activated, _twins, _flatten_as_keras_does, _round_trip, _convolutions, _constant,
)  # fmt: skip
