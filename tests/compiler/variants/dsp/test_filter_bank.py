# SPDX-License-Identifier: Apache-2.0
"""SignalEnergy by dual products, against the portable kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.compiler.ops.generate import Random, case
from tests.compiler.ops.signal.test_framing import custom
from tests.compiler.variants.dsp.layers import FEATURES
from tests.support.core_cases import check
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef


def energy_case(seed: int) -> Case:
    r = Random(seed, 101)
    count = r.integer(1, 40)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x, y = graph.input((2 * count,), "int16"), graph.tensor((count,), "uint32")
        start = r.integer(0, count)
        custom(graph, "SignalEnergy", [x], [y], start_index=start, end_index=r.integer(start, count))
        return [x], [y]

    made = case(f"energy #{seed}", r, build)
    made.samples.append([np.full((2 * count,), -32768, np.int16)])
    return made


def test_bytes_equal_the_portable_kernel(tmp_path: Path) -> None:
    cases = [energy_case(seed) for seed in range(30)]
    check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp", at_least=30)
