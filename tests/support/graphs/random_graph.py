# SPDX-License-Identifier: Apache-2.0
"""Random graphs of many operators: branches, shared inputs, several types, several inputs and outputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tests.compiler.ops.generate import Random
from tests.support.differential import Array, Case
from tests.support.flatbuffer_builder import ModelBuilder, TensorRef
from tests.support.graphs import elementwise, moving, weighted
from tests.support.graphs.grower import Grower, SkipLayer
from tests.support.graphs.patterns import PATTERNS

LAYERS = {**weighted.LAYERS, **elementwise.LAYERS, **moving.LAYERS}
_COMMON = (
    "ADD",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "RESHAPE",
    "TRANSPOSE",
)
_ATTEMPTS = 60


@dataclass
class RandomGraph:
    """A model with inputs for it, and how often each operator occurs in it."""

    case: Case
    operators: Counter[str]


def random_graph(seed: int, *, floats: bool = True, samples: int = 2) -> RandomGraph:
    """2 to 12 layers. Without ``floats`` no tensor is float32."""
    r = Random(seed, 200)
    model = ModelBuilder()
    g = Grower(r, model.graph(), floats)
    g.input((1, *r.shape(2, 3, 8), r.integer(1, 6)), r.choice(("int8", "int8", "int8", "int16")))
    wanted = r.integer(2, 12)
    for _ in range(_ATTEMPTS):
        if r.chance(0.15):
            layer = r.choice(PATTERNS)
        else:
            layer = LAYERS[r.choice(list(LAYERS) if r.chance(0.8) else _COMMON)]
        try:
            layer(g)
        except SkipLayer:
            continue
        if sum(g.drawn.values()) >= wanted:
            break
    g.graph.output(*_outputs(g))
    drawn = [[_values(r, ref) for ref in g.inputs] for _ in range(samples)]
    label = f"seed {seed}: {' '.join(g.drawn.elements())}"
    return RandomGraph(Case(label, model.build(), drawn), g.drawn)


def _outputs(g: Grower) -> list[TensorRef]:
    """What nobody reads, but for what is left to be dead code, and now and then what others read, too."""
    made = [ref for ref in g.values if ref not in g.inputs]
    unread = [ref for ref in made if ref.index not in g.read]
    outputs = [ref for ref in unread if ref is unread[-1] or g.r.chance(0.85)]
    others = [ref for ref in made if ref.index in g.read]
    if others and g.r.chance(0.3):
        outputs.append(g.r.choice(others))
    return outputs


def _values(r: Random, ref: TensorRef) -> Array:
    if ref.dtype == "int32":
        return r.rng.integers(-9, 10, ref.shape).astype(np.int32)
    return r.values(ref.shape, ref.dtype)
