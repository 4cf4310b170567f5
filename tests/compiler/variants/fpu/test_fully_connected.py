# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED float32 on emulated FPUs: the same bits as sums in float32, tap after tap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import ACTIVATIONS, Random, case
from tests.support.core_cases import check
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.special_floats import with_special_values


def float_case(seed: int) -> Case:
    r = Random(seed, 81)
    batches, depth, channels = r.choice((1, 1, 2)), r.integer(1, 40), r.integer(1, 19)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((batches, depth), "float32")
        weights = graph.constant(r.values((channels, depth), "float32"))
        inputs = [x, weights]
        if r.chance(0.7):
            inputs.append(graph.constant(r.values((channels,), "float32")))
        y = graph.tensor((batches, channels), "float32")
        graph.op("FULLY_CONNECTED", inputs, [y], activation=r.choice(ACTIVATIONS))
        return [x], [y]

    return case(f"fully connected float32 #{seed}", r, build)


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_bits_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    cases = [float_case(seed) for seed in range(25)]
    cases += [with_special_values(float_case(seed), seed) for seed in range(6)]
    check(cases, tmp_path, cpu, frozenset({"fpu"}), variant="fpu", at_least=31)
