# SPDX-License-Identifier: Apache-2.0
"""Operators computed by the kernels of others, on emulated cores, against their own portable kernels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cliffs.layers import Conv, Conv16, Depthwise, Window, draw
from tests.compiler.ops.generate import Random
from tests.compiler.variants import layers
from tests.support import core_cases, m55
from tests.support.differential import Case


def drawn(kind: type[Window], **given: object) -> Callable[[int], Case]:
    """Any layer of a kind with these fields."""

    def make(seed: int) -> Case:
        r = Random(seed, 186)
        while True:
            layer = replace(draw(kind, r), **given)  # type: ignore[arg-type]
            assert isinstance(layer, Window)
            if layer.valid() and layer.products() < 8000:
                return layer.case()

    return make


SEEDS = 12
CASES = [
    (drawn(Conv, factors="large", groups=1, batch=1, taps=(1, 1), inputs=3), "exceptions", 6),
    (drawn(Depthwise, factors="large", batch=1), "exceptions", 3),
    (drawn(Conv16, factors="large", taps=(1, 1), inputs=2), "exceptions", 5),
    (drawn(Conv, batch=2, factors="plain"), "images", 8),
    (drawn(Depthwise, batch=2, factors="plain", taps=(3, 3), stride=(1, 1), multiplier=1), "images", 8),
    (drawn(Conv, outputs=1, groups=1, factors="plain"), "pair", 8),
    (
        drawn(Conv, height=3, width=3, taps=(3, 3), same=False, groups=1, stride=(1, 1), dilation=(1, 1)),
        "dense",
        6,
    ),
    (layers.transpose_conv_case, "convolutions", 8),
    (layers.any_depthwise_case, "convolutions", 1),
    (layers.grouped_case, "groups", 3),
    (layers.grouped_case, "depthwise", 1),
]
CORES = {"cortex-m4": frozenset({"dsp", "fpu"}), "cortex-m0": frozenset({"thumb1"})}


@pytest.mark.parametrize("cpu", CORES)
@pytest.mark.parametrize(("make", "variant", "at_least"), CASES)
def test_bytes_equal_the_portable_kernel(
    cpu: str, make: Callable[[int], Case], variant: str, at_least: int, tmp_path: Path
) -> None:
    cases = [make(seed) for seed in range(SEEDS)]
    core_cases.check(cases, tmp_path, cpu, CORES[cpu], variant=variant, at_least=at_least)


@pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")
@pytest.mark.parametrize(("make", "variant", "at_least"), CASES)
def test_bytes_equal_on_helium(
    make: Callable[[int], Case], variant: str, at_least: int, tmp_path: Path
) -> None:
    m55.check([make(seed) for seed in range(SEEDS)], tmp_path, variant, at_least)
