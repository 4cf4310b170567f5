# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy import fft, signal

from tinyserve.features import design


@pytest.mark.parametrize("order", range(1, 9))
@pytest.mark.parametrize("kind", ["lowpass", "highpass"])
@pytest.mark.parametrize("cutoff", [0.01, 0.2, 0.45])
def test_butterworth_has_the_response_of_scipys(order: int, kind: str, cutoff: float) -> None:
    ours = np.insert(design.butterworth(kind, order, cutoff, 1.0), 3, 1.0, axis=1)
    theirs = signal.butter(order, 2 * cutoff, kind, output="sos")
    assert np.allclose(signal.freqz_sos(ours)[1], signal.freqz_sos(theirs)[1], atol=1e-9)


@pytest.mark.parametrize("kind", ["hann", "hamming"])
def test_windows_are_periodic(kind: str) -> None:
    assert np.allclose(design.window(kind, 480), signal.get_window(kind, 480))


def test_cosines_are_the_orthonormal_transform() -> None:
    x = np.random.default_rng(1).normal(size=40)
    assert np.allclose(design.cosines(13, 40) @ x, fft.dct(x, norm="ortho")[:13])


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_decimation_passes_the_band_and_stops_its_aliases(factor: int) -> None:
    frequencies, response = signal.freqz(design.antialias(factor), worN=4096, fs=2.0)
    passed, stopped = frequencies < 0.7 / factor, frequencies > 1.1 / factor
    assert np.abs(np.abs(response[passed]) - 1).max() < 0.01
    assert np.abs(response[stopped]).max() < 0.01


@pytest.mark.parametrize(("scale", "hz", "mel"), [("htk", 1000.0, 999.9855), ("slaney", 1000.0, 15.0)])
def test_scales_put_one_kilohertz_where_their_papers_do(scale: str, hz: float, mel: float) -> None:
    to_mel = design._htk_mel if scale == "htk" else design._slaney_mel
    to_hz = design._htk_hz if scale == "htk" else design._slaney_hz
    assert to_mel(np.array(hz)) == pytest.approx(mel, abs=1e-3)
    some = np.array([30.0, 400.0, 1000.0, 3000.0, 7900.0])
    assert np.allclose(to_hz(to_mel(some)), some)


def test_bands_overlap_by_half_and_have_equal_areas_where_asked() -> None:
    bands = design.mel_bands(20, 100, 7000, rate_hz=16000, fft_length=4096, scale="slaney", area=False)
    inside = (np.arange(2049) * 16000 / 4096 > 300) & (np.arange(2049) * 16000 / 4096 < 5000)
    assert np.allclose(bands.sum(axis=0)[inside], 1)
    equal = design.mel_bands(20, 100, 7000, rate_hz=16000, fft_length=4096, scale="slaney", area=True)
    assert np.allclose(equal.sum(axis=1) * 16000 / 4096, 1, rtol=0.02)
