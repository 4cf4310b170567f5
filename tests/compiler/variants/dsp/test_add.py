# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB with a table on emulated cores, against the portable kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.variants.dsp.layers import FEATURES
from tests.compiler.variants.layers import repeated_case
from tests.support.core_cases import check
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef


def add_case(seed: int) -> Case:
    r = Random(seed, 80)
    shape = (1, r.integer(1, 9), r.integer(1, 9), r.integer(1, 9))
    scales = [r.scale(0.01, 0.1), r.scale(0.01, 0.1)]
    if r.chance(0.2):
        scales[1] = scales[0]
    relu = r.chance(0.5)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        inputs = [graph.input(shape, "int8", scale=scale, zero_point=r.zero_point()) for scale in scales]
        y_scale = float(np.float32(max(scales) * r.choice((0.5, 1.0, 2.0))))
        y = graph.tensor(shape, "int8", scale=y_scale, zero_point=-128 if relu else r.integer(-127, 127))
        graph.op(r.choice(("ADD", "ADD", "SUB")), inputs, [y], activation="RELU" if relu else "NONE")
        return inputs, [y]

    return case(f"add #{seed}", r, build)


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_bytes_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    first = {"cortex-m4": 0, "cortex-m7": 1000, "cortex-m33": 2000}[cpu]
    count = 60 if cpu == "cortex-m4" else 15
    cases = [add_case(first + seed) for seed in range(count)]
    check(cases, tmp_path, cpu, FEATURES, variant="dsp", at_least=count * 3 // 4)


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m33"])
def test_without_a_table_bytes_equal_the_portable_kernel_whatever_is_repeated(
    cpu: str, tmp_path: Path
) -> None:
    first, count = {"cortex-m4": (3000, 40), "cortex-m33": (4000, 12)}[cpu]
    cases = [make(first + seed) for seed in range(count) for make in (add_case, repeated_case)]
    check(cases, tmp_path, cpu, FEATURES, variant="dsp-scaled", at_least=count)
