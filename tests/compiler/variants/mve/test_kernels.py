# SPDX-License-Identifier: Apache-2.0
"""The Helium kernels on an emulated Cortex-M55, against the portable ones: shapes, borders, tails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.variants import layers
from tests.support import m55
from tests.support.differential import Case

pytestmark = pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")


@pytest.mark.parametrize(
    ("make", "variant", "at_least"),
    [
        (layers.conv_case, "mve", 40),
        (layers.conv_s16_case, "mve-s16", 40),
        (layers.depthwise_case, "mve", 20),
        (layers.any_depthwise_case, "mve-planes", 60),
        (layers.any_depthwise_case, "mve-lanes", 15),
        (layers.fully_connected_case, "mve", 40),
        (layers.add_case, "mve", 20),
    ],
)
def test_bytes_equal_the_portable_kernel(
    make: Callable[[int], Case], variant: str, at_least: int, tmp_path: Path
) -> None:
    cases = [make(seed) for seed in range(max(50, at_least * 5 // 4))]
    m55.check(cases, tmp_path, variant, at_least)


def test_repeated_inputs_equal_the_portable_kernel(tmp_path: Path) -> None:
    m55.check([layers.repeated_case(seed) for seed in range(16)], tmp_path, "mve", 16)


def test_what_gcc_runs_in_assembly(tmp_path: Path) -> None:
    """Clang keeps the convolutions' sums in registers by itself; here it takes GCC's function."""
    cases = [layers.conv_case(seed) for seed in range(50)]
    m55.check(cases, tmp_path, "mve", 40, defines=["TS_MVE_PIXELS_IN_ASSEMBLY"])
