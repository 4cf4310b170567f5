# SPDX-License-Identifier: Apache-2.0
"""Weights, axes and positions that are computed at run time: passes neither merge, fold nor shrink them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.compiler.ops.generate import Array, Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.graphs.random_graph import random_graph
from tests.support.run_time import at_run_time
from tinyserve.compiler import passes
from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import Model

GRAPHS = 60
TAKEN = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2), "TRANSPOSE_CONV": (1, 3),
    "ADD": (0, 1), "SUB": (0, 1), "MUL": (0, 1), "PRELU": (1,), "MEAN": (1,), "SUM": (1,),
    "REDUCE_MAX": (1,), "REDUCE_MIN": (1,), "ARG_MAX": (1,), "ARG_MIN": (1,), "CUMSUM": (1,), "SLICE": (1, 2),
    "REVERSE_V2": (1,), "SPLIT_V": (1,), "PADV2": (2,), "MIRROR_PAD": (1,), "SPACE_TO_BATCH_ND": (1, 2),
    "BATCH_TO_SPACE_ND": (1, 2),
}  # fmt: skip
"""Operands that TFLM takes at run time."""


def computed(seed: int) -> Case | None:
    """A random graph, of which each constant that may be is now and then given at run time."""
    r, made = Random(seed, 121), random_graph(seed).case
    before = len(made.samples[0])
    for place, operator in enumerate(reader.read(made.model).main.nodes):
        given = [index for index in TAKEN.get(operator.name, ()) if r.chance(0.7)]
        made = at_run_time(made, given, lambda _, value: weights(r, value), place)
    return made if len(made.samples[0]) > before else None


def weights(r: Random, value: Array) -> Array:
    """Other weights, the same positions."""
    if value.dtype.kind == "f":
        return r.rng.permutation(value)
    return r.rng.integers(-127, 128, value.shape).astype(np.int8) if value.dtype == np.int8 else value


def optimized(model: Model) -> None:
    passes.optimize(model)


def test_optimized_graphs_give_tflm_s_bytes(tmp_path: Path) -> None:
    cases = [made for seed in range(3000, 3000 + GRAPHS) if (made := computed(seed)) is not None]
    assert len(cases) > GRAPHS // 2
    check(cases, tmp_path, at_least=len(cases) - 2, prepare=optimized)


def padded_dead_channel(seed: int) -> Case:
    """A constant channel, surrounded by a value that is no constant, before a convolution."""
    r = Random(seed, 122)
    q = {"scale": 0.05, "zero_point": 3}

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x, value = graph.input((1, 4, 4, 2), "int8", **q), graph.input((1,), "int8", **q)
        taps = r.rng.integers(-127, 128, (3, 1, 1, 2)).astype(np.int8)
        taps[r.integer(0, 2)] = 0
        inner, wide = graph.tensor((1, 4, 4, 3), "int8", **q), graph.tensor((1, 6, 6, 3), "int8", **q)
        y = graph.tensor((1, 4, 4, 2), "int8", 0.5)
        layers = [graph.constant(taps, 0.01), graph.constant(r.values((2, 3, 3, 3), "int8"), 0.01)]
        graph.op("CONV_2D", [x, layers[0], None], [inner], padding="VALID", stride_h=1, stride_w=1)
        around = graph.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
        graph.op("PADV2", [inner, around, value], [wide])
        graph.op("CONV_2D", [wide, layers[1], None], [y], padding="VALID", stride_h=1, stride_w=1)
        return [x, value], [y]

    return case(f"dead channel in a computed border #{seed}", r, build)


def test_dead_channels_are_kept_where_their_border_is_computed(tmp_path: Path) -> None:
    check([padded_dead_channel(seed) for seed in range(10)], tmp_path, at_least=10, prepare=optimized)
