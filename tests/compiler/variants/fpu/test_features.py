# SPDX-License-Identifier: Apache-2.0
"""Spectra and banded matrices on emulated FPUs: the same bits as the portable kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Step
from tests.compiler.ops.features.test_bands import bands
from tests.compiler.ops.features.test_spectrum import LENGTHS, spectrum
from tests.compiler.ops.generate import Random
from tests.support.core_cases import check
from tests.support.differential import Case


def feature_case(step: Step, seed: int) -> Case:
    r = Random(seed, 102)
    samples = [[r.values(step.input_shape, "float32")] for _ in range(2)]
    samples += [[np.zeros(step.input_shape, np.float32)], [np.full(step.input_shape, 3e18, np.float32)]]
    return Case(f"{step.name} {step.options} {step.input_shape} #{seed}", step.model(), samples)


def spectra() -> list[Step]:
    """Powers: magnitudes have a root of double precision, for which images here have no library."""
    rng = np.random.default_rng(5)
    steps = []
    for length in LENGTHS[:-1]:
        given = int(rng.integers(1, length + 1))
        steps.append(spectrum(length, given, 0, rng.uniform(0, 1, given).astype(np.float32)))
        steps.append(spectrum(length, length, 0))
    return steps


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m33"])
@pytest.mark.parametrize("make", [spectra, lambda: [bands(index) for index in range(25)]])
def test_bits_equal_the_portable_kernel(make: object, cpu: str, tmp_path: Path) -> None:
    assert callable(make)
    cases = [feature_case(step, seed) for seed, step in enumerate(make())]
    check(cases, tmp_path, cpu, frozenset({"fpu"}), variant="fpu", at_least=len(cases))
