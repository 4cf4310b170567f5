# SPDX-License-Identifier: Apache-2.0
"""CONV_2D float32 on emulated FPUs: the same bits as sums in float32, tap after tap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.ops.generate import ACTIVATIONS, Random, case
from tests.compiler.ops.linear.test_conv_2d import output_size
from tests.support.core_cases import check
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.special_floats import with_special_values


def float_case(seed: int) -> Case:
    r = Random(seed, 82)
    batches, height, width = r.choice((1, 1, 1, 2)), r.integer(1, 9), r.integer(1, 9)
    inputs, channels = r.integer(1, 9), r.integer(1, 11)
    taps = r.choice(((1, 1), (3, 3), (3, 3), (2, 3), (5, 1)))
    stride = r.choice(((1, 1), (1, 1), (2, 2), (1, 2)))
    padding = r.choice(("SAME", "SAME", "VALID"))
    sizes = [output_size(e, t, s, 1, padding) for e, t, s in zip((height, width), taps, stride, strict=True)]
    if 0 in sizes:
        padding, sizes = "SAME", [-(-height // stride[0]), -(-width // stride[1])]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((batches, height, width, inputs), "float32")
        weights = graph.constant(r.values((channels, *taps, inputs), "float32"))
        operands = [x, weights]
        if r.chance(0.7):
            operands.append(graph.constant(r.values((channels,), "float32")))
        y = graph.tensor((batches, *sizes, channels), "float32")
        graph.op(
            "CONV_2D", operands, [y], padding=padding, activation=r.choice(ACTIVATIONS),
            stride_h=stride[0], stride_w=stride[1], dilation_h_factor=1, dilation_w_factor=1,
        )  # fmt: skip
        return [x], [y]

    return case(f"conv float32 #{seed}", r, build)


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_bits_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    cases = [float_case(seed) for seed in range(30)]
    cases += [with_special_values(float_case(seed), seed) for seed in range(6)]
    check(cases, tmp_path, cpu, frozenset({"fpu"}), variant="fpu", at_least=36)
