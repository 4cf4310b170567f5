# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED with SMLAD on emulated cores, against the portable kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.variants.dsp.layers import FEATURES, activation_of, quantized_weights
from tests.support.core_cases import check
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef


def fully_connected_case(seed: int) -> Case:
    r = Random(seed, 79)
    batches, depth, channels = r.choice((1, 1, 1, 2, 5)), r.integer(1, 70), r.integer(2, 36)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((batches, depth), "int8", scale=0.05, zero_point=r.zero_point())
        weights, bias, scale = quantized_weights(r, graph, (channels, depth), 0.05, per_channel=r.chance(0.2))
        activation, zero_point = activation_of(r)
        y = graph.tensor((batches, channels), "int8", scale=scale, zero_point=zero_point)
        graph.op("FULLY_CONNECTED", [x, weights, bias], [y], activation=activation)
        return [x], [y]

    return case(f"fully connected #{seed}", r, build)


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_bytes_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    first = {"cortex-m4": 0, "cortex-m7": 1000, "cortex-m33": 2000}[cpu]
    count = 60 if cpu == "cortex-m4" else 15
    cases = [fully_connected_case(first + seed) for seed in range(count)]
    check(cases, tmp_path, cpu, FEATURES, variant="dsp", at_least=count * 3 // 4)
