"""The Helium kernels on an emulated Cortex-M55, against the portable ones: shapes, borders, tails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import m55
from tests.support.differential import Case
from tests.variants import layers

pytestmark = pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")


@pytest.mark.parametrize(
    ("make", "at_least"),
    [
        (layers.conv_case, 40),
        (layers.depthwise_case, 40),
        (layers.fully_connected_case, 40),
        (layers.add_case, 20),
    ],
)
def test_bytes_equal_the_portable_kernel(make: Callable[[int], Case], at_least: int, tmp_path: Path) -> None:
    cases = [make(seed) for seed in range(at_least * 5 // 4)]
    m55.check(cases, tmp_path, "mve", at_least)
