# SPDX-License-Identifier: Apache-2.0
"""Operators computed by the kernels of others, on emulated cores, against their own portable kernels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.variants import layers
from tests.support import core_cases, m55
from tests.support.differential import Case

CASES = [
    (layers.transpose_conv_case, "convolutions", 17),
    (layers.any_depthwise_case, "convolutions", 3),
    (layers.grouped_case, "groups", 6),
    (layers.grouped_case, "depthwise", 2),
]
CORES = {"cortex-m4": frozenset({"dsp", "fpu"}), "cortex-m0": frozenset({"thumb1"})}


@pytest.mark.parametrize("cpu", CORES)
@pytest.mark.parametrize(("make", "variant", "at_least"), CASES)
def test_bytes_equal_the_portable_kernel(
    cpu: str, make: Callable[[int], Case], variant: str, at_least: int, tmp_path: Path
) -> None:
    cases = [make(seed) for seed in range(24)]
    core_cases.check(cases, tmp_path, cpu, CORES[cpu], variant=variant, at_least=at_least)


@pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")
@pytest.mark.parametrize(("make", "variant", "at_least"), CASES)
def test_bytes_equal_on_helium(
    make: Callable[[int], Case], variant: str, at_least: int, tmp_path: Path
) -> None:
    m55.check([make(seed) for seed in range(24)], tmp_path, variant, at_least)
