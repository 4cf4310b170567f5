# SPDX-License-Identifier: Apache-2.0
"""SignalWindow and SignalFftAutoScale on pairs of samples, against the portable kernels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.ops.signal.test_framing import custom, window
from tests.compiler.variants.dsp.layers import FEATURES
from tests.support.core_cases import check
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef


def auto_scale(r: Random, graph: GraphBuilder) -> tuple[TensorRef, list[TensorRef]]:
    x = graph.input((r.integer(1, 40),), "int16")
    y, bits = graph.tensor(x.shape, "int16"), graph.tensor((), "int32")
    custom(graph, "SignalFftAutoScale", [x], [y, bits])
    return x, [y, bits]


Maker = Callable[[Random, GraphBuilder], tuple[TensorRef, list[TensorRef]]]


def framing_case(seed: int, make: Maker) -> Case:
    """With silence, and with one sample of each power of two, its neighbours and its negatives."""
    r, shapes = Random(seed, 99), []

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x, outputs = make(r, graph)
        shapes.append(x.shape)
        return [x], outputs

    made = case(f"{make.__name__} #{seed}", r, build)
    edges = [sign * (1 << bit) + beside for bit in range(16) for sign in (-1, 1) for beside in (-1, 0, 1)]
    for edge in [0, *edges[seed % 8 :: 8]]:
        samples = np.zeros(shapes[0], np.int16)
        samples.flat[r.integer(0, samples.size - 1)] = np.clip(edge, -32768, 32767)
        made.samples.append([samples])
    return made


@pytest.mark.parametrize("make", [window, auto_scale])
def test_bytes_equal_the_portable_kernel(make: Maker, tmp_path: Path) -> None:
    cases = [framing_case(seed, make) for seed in range(16)]
    check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp", at_least=5)
