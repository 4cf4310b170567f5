# SPDX-License-Identifier: Apache-2.0
"""The Armv6-M kernels on an emulated Cortex-M0, against the portable ones: shapes, borders, tails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.variants import layers
from tests.support.core_cases import check
from tests.support.differential import Case

STACK_LIMIT = 600


@pytest.mark.parametrize(
    ("make", "at_least"),
    [
        (layers.conv_case, 30),
        (layers.depthwise_case, 30),
        (layers.fully_connected_case, 30),
        (layers.add_case, 30),
    ],
)
def test_bytes_equal_the_portable_kernel(make: Callable[[int], Case], at_least: int, tmp_path: Path) -> None:
    cases = [make(seed) for seed in range(40)]
    result = check(cases, tmp_path, "cortex-m0", frozenset({"thumb1"}), variant="thumb1", at_least=at_least)
    assert result.stack_bytes <= STACK_LIMIT


def test_planes_equal_the_portable_kernel(tmp_path: Path) -> None:
    """Any filter, stride, dilation and multiplier, strips, rows and columns turned."""
    cases = [layers.any_depthwise_case(seed) for seed in range(40)]
    features = frozenset({"thumb1"})
    result = check(cases, tmp_path, "cortex-m0", features, variant="thumb1-planes", at_least=24)
    assert result.stack_bytes <= STACK_LIMIT


def test_cortex_m3_runs_them_too(tmp_path: Path) -> None:
    makes = (layers.conv_case, layers.depthwise_case, layers.fully_connected_case, layers.add_case)
    cases = [make(seed) for make in makes for seed in range(100, 105)]
    check(cases, tmp_path, "cortex-m3", frozenset({"thumb1"}), variant="thumb1", at_least=14)
