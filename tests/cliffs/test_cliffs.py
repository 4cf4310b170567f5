# SPDX-License-Identifier: Apache-2.0
"""A few random layers and their neighbours on each core; ``python -m tests.cliffs`` takes many."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cliffs.counting import Column
from tests.cliffs.jumps import JUMP, SLOWER, choices, jumps, pairs
from tests.cliffs.layers import Conv, Conv16, Dense, Depthwise, Pool, Transposed, draw, neighbours
from tests.compiler.ops.generate import Random

KINDS = (Conv, Depthwise, Transposed, Dense, Conv16, Pool)
CORES = [
    "cortex-m4",
    "cortex-m0",
    pytest.param(
        "cortex-m55",
        marks=pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="needs qemu-system-arm"),
    ),
]


@pytest.mark.parametrize("core", CORES)
def test_neighbours_take_about_as_many_instructions(core: str, tmp_path: Path) -> None:
    found = jumps(pairs(KINDS, each=1, near=3, seed=5), Column(core, "zig"), tmp_path)
    assert len(found) >= 2 * len(KINDS)
    assert not [str(jump) for jump in found if jump.size > JUMP]


@pytest.mark.parametrize("core", CORES)
def test_the_chosen_kernel_is_nearly_the_cheapest(core: str, tmp_path: Path) -> None:
    layers = [draw(kind, Random(6, 188)) for kind in (Conv, Depthwise, Depthwise, Transposed)]
    found = choices(layers, Column(core, "zig"), tmp_path)
    assert found
    assert not [str(choice) for choice in found if choice.ratio > SLOWER]


def test_a_neighbour_differs_in_one_field() -> None:
    layer = draw(Conv, Random(1, 189))
    for near in neighbours(layer):
        assert sum(vars(layer)[name] != value for name, value in vars(near).items()) == 1
