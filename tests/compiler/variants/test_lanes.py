# SPDX-License-Identifier: Apache-2.0
"""Pools and products of several elements at a time on emulated cores, against the portable kernels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.ops.elementwise import test_mul
from tests.compiler.ops.generate import Random, case
from tests.compiler.variants.dsp.layers import FEATURES
from tests.support import core_cases, m55
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

COUNT = 30


def pool_case(seed: int) -> Case:
    """Windows that the border cuts, averages of ties, tails of channels."""
    r = Random(seed, 184)
    name = ("MAX_POOL_2D", "AVERAGE_POOL_2D")[seed % 2]
    window, stride = (r.integer(1, 6), r.integer(1, 5)), (r.integer(1, 3), r.integer(1, 3))
    height, width, channels = r.integer(6, 15), r.integer(5, 12), r.integer(1, 37)
    padding = r.choice(("SAME", "VALID"))
    lost = (0, 0) if padding == "SAME" else (window[0] - 1, window[1] - 1)
    sizes = [-(-(e - d) // s) for e, d, s in zip((height, width), lost, stride, strict=True)]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = {"scale": 0.05, "zero_point": r.zero_point()}
        x = graph.input((1, height, width, channels), "int8", **q)
        y = graph.tensor((1, *sizes, channels), "int8", **q)
        graph.op(
            name, [x], [y], padding=padding, activation=r.choice(("NONE", "RELU", "RELU6")),
            stride_h=stride[0], stride_w=stride[1], filter_height=window[0], filter_width=window[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"{name} {window} {stride} {padding} {channels} #{seed}", r, build)


def mul_case(seed: int) -> Case:
    return test_mul.random_case(seed, "int8")


@pytest.mark.parametrize("make", [pool_case, mul_case])
def test_dsp_bytes_equal_the_portable_kernels(make: Callable[[int], Case], tmp_path: Path) -> None:
    cases = [make(seed) for seed in range(COUNT)]
    core_cases.check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp", at_least=COUNT * 3 // 4)


def test_products_on_armv6m_equal_the_portable_kernel(tmp_path: Path) -> None:
    cases = [mul_case(seed) for seed in range(COUNT)]
    features = frozenset({"thumb1"})
    core_cases.check(cases, tmp_path, "cortex-m0", features, variant="thumb1", at_least=COUNT // 2)


@pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")
@pytest.mark.parametrize("make", [pool_case, mul_case])
def test_mve_bytes_equal_the_portable_kernels(make: Callable[[int], Case], tmp_path: Path) -> None:
    m55.check([make(seed) for seed in range(COUNT)], tmp_path, "mve", COUNT * 3 // 4)
