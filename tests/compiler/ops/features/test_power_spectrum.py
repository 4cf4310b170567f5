# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Array, Step, check
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError


def power(bins: int, magnitude: int) -> Step:
    def expected(given: list[Array]) -> list[Array]:
        values = [np.abs(x[..., ::2].astype(np.float64) + 1j * x[..., 1::2]) for x in given]
        return [value if magnitude else value**2 for value in values]

    options = {"magnitude": magnitude}
    return Step("FeaturePower", (2, 2 * bins), (2, bins), options, expected)


def test_power_and_magnitude_of_complex_bins(tmp_path: Path) -> None:
    check([power(bins, magnitude) for bins in (1, 5, 129) for magnitude in (0, 1)], tmp_path, 1e-6)


def test_half_a_bin_is_refused() -> None:
    step = Step("FeaturePower", (5,), (3,), {}, lambda given: given)
    with pytest.raises(ModelError):
        load(step.model())
