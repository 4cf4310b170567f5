# SPDX-License-Identifier: Apache-2.0
"""SignalRfft of int16 on complex numbers in words, against the portable kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.signal.test_rfft import random_case
from tests.compiler.variants.dsp.layers import FEATURES
from tests.support.core_cases import check
from tests.support.differential import Case


def rfft_case(seed: int) -> Case:
    """With samples whose sums overflow where they can: each is one of the extremes."""
    made, rng = random_case(seed, "SignalRfft", "int16"), np.random.default_rng(seed)
    shape = made.samples[0][0].shape
    extremes = [rng.choice(np.array([-32768, -32768, 32767, -16385, 16384, 0], np.int16), shape)]
    made.samples += [extremes, [rng.choice(np.array([-32768, 32767], np.int16), shape)]]
    return made


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m33"])
def test_bytes_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    first, count = (0, 40) if cpu == "cortex-m4" else (1000, 12)
    cases = [rfft_case(first + seed) for seed in range(count)]
    check(cases, tmp_path, cpu, FEATURES, variant="dsp", at_least=count * 2 // 3)


def test_a_long_transform_has_the_same_bytes(tmp_path: Path) -> None:
    cases = [case for case in map(rfft_case, range(60)) if int(case.label.split()[2]) == 512]
    check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp", at_least=3)
