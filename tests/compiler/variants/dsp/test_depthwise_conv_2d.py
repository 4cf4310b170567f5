# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D 3x3 with SMLAD on emulated cores, against the portable kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.ops.linear.test_conv_2d import output_size
from tests.compiler.variants.dsp.layers import FEATURES, activation_of
from tests.compiler.variants.layers import any_depthwise_case
from tests.support.core_cases import check
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Target


def depthwise_case(seed: int, smallest: int = 1) -> Case:
    r = Random(seed, 78)
    batches, stride = r.choice((1, 1, 1, 2)), r.choice((1, 1, 2))
    height, width = r.integer(smallest, 13), r.integer(smallest, 13)
    channels = r.integer(4, 19) * (4 if smallest > 1 else 1)
    padding = r.choice(("SAME", "SAME", "VALID"))
    activation, zero_point = activation_of(r)
    sizes = [output_size(extent, 3, stride, 1, padding) for extent in (height, width)]
    if 0 in sizes:
        padding, sizes = "SAME", [-(-height // stride), -(-width // stride)]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        shape = (batches, height, width, channels)
        x = graph.input(shape, "int8", scale=0.05, zero_point=r.zero_point())
        values = r.rng.integers(-127, 128, (1, 3, 3, channels)).astype(np.int8)
        # Right shifts 3 to 9 scale exactly; beyond, the compiler fits a multiplier.
        fitted = [zero_point == -128 and r.chance(0.2) for _ in range(channels)]
        shifts = [r.integer(10, 16) if one else r.integer(3, 9) for one in fitted]
        factors = [2.0**-shift * float(r.rng.uniform(0.51, 0.99)) for shift in shifts]
        weights = graph.constant(values, scale=[f / 0.05 for f in factors], zero_point=[0] * channels, axis=3)
        bias = graph.constant(r.rng.integers(-9000, 9000, channels).astype("int32"))
        y = graph.tensor((batches, *sizes, channels), "int8", scale=1.0, zero_point=zero_point)
        graph.op(
            "DEPTHWISE_CONV_2D", [x, weights, bias], [y], padding=padding, activation=activation,
            stride_h=stride, stride_w=stride, depth_multiplier=1,
        )  # fmt: skip
        return [x], [y]

    return case(f"depthwise #{seed}", r, build)


def test_last_rows_of_wide_images(tmp_path: Path) -> None:
    """Large enough for the kernel of single rows."""
    cases = [depthwise_case(4000 + seed, smallest=11) for seed in range(30)]
    programs = [lower(load(case.model), Target(FEATURES), "case") for case in cases]
    last = [call.fields.get("last_strip") for program in programs for call in program.calls]
    assert {"ts_dsp_depthwise_3x3_single", "ts_dsp_depthwise_3x3_single_relu"} <= set(last)
    check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp", at_least=30)


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_bytes_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    first = {"cortex-m4": 0, "cortex-m7": 1000, "cortex-m33": 2000}[cpu]
    count = 60 if cpu == "cortex-m4" else 15
    cases = [depthwise_case(first + seed) for seed in range(count)]
    check(cases, tmp_path, cpu, FEATURES, variant="dsp", at_least=count - 3)


def test_any_filter_stride_dilation_and_multiplier(tmp_path: Path) -> None:
    cases = [any_depthwise_case(seed) for seed in range(140)]
    check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp-planes", at_least=100)
