# SPDX-License-Identifier: Apache-2.0
"""FeatureSpectrum against numpy's FFT in double precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Array, Step, check
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError

LENGTHS = tuple(1 << bits for bits in range(2, 11))


def spectrum(length: int, given: int, magnitude: int, window: Array | None = None) -> Step:
    bins = length // 2 + 1

    def expected(samples: list[Array]) -> list[Array]:
        shaped = [x.astype(np.float64) * (1.0 if window is None else window) for x in samples]
        values = [np.abs(np.fft.rfft(x, length)) for x in shaped]
        return [value if magnitude else value**2 for value in values]

    constants = () if window is None else (window,)
    options = {"fft_length": length, "magnitude": magnitude}
    return Step("FeatureSpectrum", (2, given), (2, bins), options, expected, constants)


@pytest.mark.parametrize("magnitude", [0, 1])
def test_powers_and_magnitudes_are_those_of_numpy(magnitude: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(magnitude)
    steps = [spectrum(length, length, magnitude) for length in LENGTHS]
    for length in LENGTHS:
        given = int(rng.integers(1, length + 1))
        steps.append(spectrum(length, given, magnitude, rng.uniform(0, 1, given).astype(np.float32)))
    check(steps, tmp_path, 2e-6)


@pytest.mark.parametrize(
    ("length", "given", "bins"), [(12, 12, 7), (8, 9, 5), (8, 8, 4), (2, 2, 2), (1 << 17, 8, 5)]
)
def test_what_is_no_such_spectrum_is_refused(length: int, given: int, bins: int) -> None:
    step = Step("FeatureSpectrum", (given,), (bins,), {"fft_length": length}, lambda given: given)
    with pytest.raises(ModelError):
        load(step.model())


def test_a_window_of_another_length_is_refused() -> None:
    step = spectrum(8, 8, 0, np.ones(7, np.float32))
    with pytest.raises(ModelError):
        load(step.model())
