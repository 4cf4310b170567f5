# SPDX-License-Identifier: Apache-2.0
"""Bands whose windows lie in several memories: the driver knows an arena for each."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.bands import band_calls, banded, image_graph
from tests.support.differential import run_tflm
from tests.support.merge import merge
from tinyserve.compiler.compile import Compiled, placed
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import Memories, MemoryRegion

SEEDS = range(140, 152)


def in_memories(compiled: Compiled, shares: tuple[float, ...]) -> Compiled:
    """With memories of these parts of the arena, the first the slowest."""
    nbytes = compiled.plan.arena_bytes
    sent = sum(tensor.nbytes for tensor in compiled.program.input_tensors)  # the first has those, too
    regions = [
        MemoryRegion(
            f"m{index}", int(nbytes * share) + (0 if index else sent), 9.0 - index, f".tinyserve_m{index}"
        )
        for index, share in enumerate(shares)
    ]
    return placed(compiled, Memories(arena=tuple(regions)))


@pytest.mark.parametrize("shares", [(0.8, 0.5), (0.6, 0.4, 0.3), (1.0, 0.3)])
def test_bands_in_several_memories_give_tflms_bytes(shares: tuple[float, ...]) -> None:
    cases = [image_graph(seed, samples=1) for seed in SEEDS if seed % 4]  # the others have floats
    ran = [(case, g) for case, g in zip(cases, run_tflm(cases), strict=True) if not isinstance(g, str)]
    compiled = in_memories(banded(merge([case.model for case, _ in ran]), seed=3), shares)
    apart = [call for call in band_calls(compiled) if len({*map(compiled.plan.part, call.reads)}) > 1]
    assert apart and len(compiled.plan.parts) == len(shares)
    outputs = HostModel(compiled, sanitize=True).run([array for case, _ in ran for array in case.samples[0]])
    wanted = [(case.label, array) for case, given in ran for array in given[0]]
    for (label, expected), got in zip(wanted, outputs, strict=True):
        assert np.array_equal(expected, got), label
