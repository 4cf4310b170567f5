# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of int16 activations by patches on emulated cores, against the portable kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.variants import layers
from tests.support.core_cases import check
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Target

FEATURES = {"cortex-m4": frozenset({"dsp", "fpu"}), "cortex-m0": frozenset({"thumb1"})}
VARIANT = {"cortex-m4": "dsp-s16", "cortex-m0": "thumb1-s16"}


@pytest.mark.parametrize("cpu", FEATURES)
def test_bytes_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    cases = [layers.conv_s16_case(seed) for seed in range(60)]
    check(cases, tmp_path, cpu, FEATURES[cpu], variant=VARIANT[cpu], at_least=45)


def test_both_types_of_bias_are_among_the_cases() -> None:
    programs = [
        lower(load(layers.conv_s16_case(seed).model), Target(FEATURES["cortex-m4"]), "case")
        for seed in range(60)
    ]
    kinds = [
        call.fields["narrow_sums"]
        for program in programs
        for call in program.calls
        if call.variant == "dsp-s16"
    ]
    assert {True, False} <= set(kinds)
