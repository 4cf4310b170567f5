# SPDX-License-Identifier: Apache-2.0
"""The RV32M kernels on an emulated RV32IMC, against the portable ones: shapes, borders, tails, overlaps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.variants import layers
from tests.support.core_cases import check
from tests.support.differential import Case

STACK_LIMIT = 400


@pytest.mark.parametrize(
    ("make", "at_least"),
    [
        (layers.conv_case, 30),
        (layers.depthwise_case, 30),
        (layers.fully_connected_case, 30),
        (layers.add_case, 25),
    ],
)
def test_bytes_equal_the_portable_kernel(make: Callable[[int], Case], at_least: int, tmp_path: Path) -> None:
    cases = [make(seed) for seed in range(40)]
    result = check(cases, tmp_path, "rv32imc", frozenset({"rv32m"}), variant="rv32m", at_least=at_least)
    assert result.stack_bytes <= STACK_LIMIT
