# SPDX-License-Identifier: Apache-2.0
"""No cliffs: a layer that differs a little from another takes about as many instructions per product.

One channel more, one column, one tap, a factor out of the common range or another zero point must not take a
whole layer to slower code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support import core_cases
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Program, Target

FEATURES = frozenset({"dsp", "fpu"})
JUMP = 2.0
"""Instructions per product."""


@dataclass(frozen=True)
class Layer:
    """An int8 convolution, SAME: depthwise where ``groups`` is 0. ``small``: a channel's factor is 2^-14."""

    name: str
    height: int
    width: int
    channels: int
    filters: int
    taps: tuple[int, int]
    groups: int = 1
    stride: int = 1
    small: bool = False
    zero_point: int = -128

    def case(self, r: Random) -> Case:
        def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
            shape = (1, self.height, self.width, self.channels)
            x = graph.input(shape, "int8", scale=0.05, zero_point=3)
            sizes = [-(-extent // self.stride) for extent in (self.height, self.width)]
            depthwise = self.groups == 0
            depth = self.channels // max(1, self.groups)
            weights = (1, *self.taps, self.filters) if depthwise else (self.filters, *self.taps, depth)
            factors = np.full(self.filters, 2.0**-7 * 0.7)
            factors[-1] = 2.0**-14 * 0.7 if self.small else factors[-1]
            operands = [
                x,
                graph.constant(
                    r.rng.integers(-127, 128, weights).astype(np.int8),
                    scale=[float(f) / 0.05 for f in factors],
                    zero_point=[0] * self.filters,
                    axis=3 if depthwise else 0,
                ),
                graph.constant(r.rng.integers(-9000, 9000, self.filters).astype("int32")),
            ]
            y = graph.tensor((1, *sizes, self.filters), "int8", scale=1.0, zero_point=self.zero_point)
            extra = {"depth_multiplier": self.filters // self.channels} if depthwise else {}
            graph.op(
                "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", operands, [y], padding="SAME",
                activation="NONE", stride_h=self.stride, stride_w=self.stride,
                dilation_h_factor=1, dilation_w_factor=1, **extra,
            )  # fmt: skip
            return [x], [y]

        return case(str(self), r, build)


BASES = [
    Layer("depthwise", 12, 12, 16, 16, (3, 3), 0),
    Layer("depthwise", 12, 12, 16, 16, (5, 5), 0),
    Layer("depthwise", 40, 1, 16, 16, (5, 1), 0),
    Layer("depthwise", 1, 40, 16, 16, (1, 7), 0),
    Layer("depthwise", 10, 10, 8, 32, (3, 3), 0),
    Layer("convolution", 10, 10, 16, 16, (3, 3)),
    Layer("convolution", 10, 10, 16, 16, (1, 1)),
    Layer("groups", 10, 10, 16, 16, (3, 3), 2),
]


def neighbours(layer: Layer, multiplier: int) -> Iterator[Layer]:
    yield replace(layer, small=True, zero_point=5)
    yield replace(layer, zero_point=5)
    yield replace(layer, height=layer.height + 1)
    yield replace(layer, width=layer.width + 1)
    yield replace(layer, taps=(layer.taps[0] + 1, layer.taps[1]))
    yield replace(layer, taps=(layer.taps[0], layer.taps[1] + 1))
    for more in (1, 2, 3) if layer.groups < 2 else (layer.groups,):
        channels = layer.channels + more
        yield replace(layer, channels=channels, filters=channels * multiplier)
    if layer.groups == 0 and multiplier == 1:
        yield replace(layer, filters=2 * layer.channels)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[Layer, float]:
    """Instructions per product of every layer and its neighbours on Cortex-M4."""
    r = Random(11, 185)
    layers = [
        one for base in BASES for one in (base, *neighbours(base, max(1, base.filters // base.channels)))
    ]
    programs = [lower(load(layer.case(r).model), Target(FEATURES), "case") for layer in layers]
    image = core_cases.link(programs, tmp_path_factory.mktemp("cliffs"), "cortex-m4")
    found = {}
    for index, (layer, program) in enumerate(zip(layers, programs, strict=True)):
        found[layer] = core_cases.count(image, index, program) / products(program)
    return found


def products(program: Program) -> int:
    return sum(call.macs for call in program.calls)


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.name} {base.taps[0]}x{base.taps[1]}")
def test_neighbours_take_about_as_many_instructions(base: Layer, counted: dict[Layer, float]) -> None:
    around = list(neighbours(base, max(1, base.filters // base.channels)))
    slow = {str(one): counted[one] for one in around if counted[one] > counted[base] + JUMP}
    assert not slow, f"{base} takes {counted[base]:.2f} per product"
