"""The Helium kernels on an emulated Cortex-M55, against the portable ones: shapes, borders, tails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import m55
from tests.support.differential import Case
from tests.variants import layers
from tinyserve.codegen.lower import lower
from tinyserve.codegen.program import Target
from tinyserve.passes.load import load

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


def test_a_kernel_without_scratch_reads_whole_pixels_and_vectors() -> None:
    """Address 0 is memory on the emulated machine: a missing scratch buffer shows nowhere else."""
    target = Target(frozenset({"mve", "dsp", "fpu"}))
    programs = [lower(load(layers.conv_case(seed).model), target, "case") for seed in range(400)]
    calls = [call for program in programs for call in program.calls]
    bare = [call.params for call in calls if call.variant == "mve" and call.args[2] is None]
    assert bare
    for params in bare:
        pixels = int(str(params["output_height"])) * int(str(params["output_width"]))
        assert (pixels % 3, int(str(params["input_channels"])) % 16) == (0, 0)
