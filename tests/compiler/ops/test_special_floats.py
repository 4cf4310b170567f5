# SPDX-License-Identifier: Apache-2.0
"""What floats that are no ordinary numbers become is what they become in TFLM, in every kind of layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.differential import Case, Tolerance, check
from tests.support.special_floats import with_special_values
from tests.sweep import cases

SEEDS = 2
# Conversions to integers are undefined in C where the value has none; sines of more than 1e9 have no digits.
_LEFT_OUT = ("quantize", "cast", "float SIN")


def _float_kinds() -> list[str]:
    return [kind for kind in cases.FAMILIES if "float" in kind and not kind.startswith(_LEFT_OUT)]


def _takes_floats(case: Case) -> bool:
    return any(values.dtype == np.float32 for sample in case.samples for values in sample)


def test_outputs_are_tflm_s(tmp_path: Path) -> None:
    made = [cases.made(kind, seed) for kind in _float_kinds() for seed in range(SEEDS)]
    chosen = [case for case in made if _takes_floats(case)]
    poisoned = [with_special_values(case, index) for index, case in enumerate(chosen)]
    check(poisoned, tmp_path, at_least=70, tolerance=Tolerance(relative=2e-5, absolute=1e-6))
