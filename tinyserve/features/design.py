# SPDX-License-Identifier: Apache-2.0
"""The numbers of signal steps: filters, windows, mel bands, cosine transforms. Computed in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def butterworth(kind: str, order: int, cutoff_hz: float, rate_hz: float) -> Array:
    """Second-order sections [n][b0, b1, b2, a1, a2] of a Butterworth filter, by the bilinear transform.

    Pairs of poles lie at the angles pi (2k + order + 1) / (2 order) of the analogue prototype's unit circle;
    an odd order has a section of first order. ``kind``: "lowpass" or "highpass".
    """
    warped = math.tan(math.pi * cutoff_hz / rate_hz)
    sections = []
    for k in range(order // 2):
        damping = 2 * math.sin(math.pi * (2 * k + 1) / (2 * order))
        norm = 1 + damping * warped + warped * warped
        numerator = [warped**2, 2 * warped**2, warped**2] if kind == "lowpass" else [1.0, -2.0, 1.0]
        denominator = [2 * (warped**2 - 1), 1 - damping * warped + warped**2]
        sections.append([value / norm for value in (*numerator, *denominator)])
    if order % 2:
        norm = 1 + warped
        numerator = [warped, warped, 0.0] if kind == "lowpass" else [1.0, -1.0, 0.0]
        sections.append([value / norm for value in (*numerator, warped - 1, 0.0)])
    return np.array(sections)


def antialias(factor: int) -> Array:
    """Taps of a lowpass at nine tenths of the new Nyquist frequency: a sinc under a Hamming window."""
    half = 8 * factor
    n = np.arange(-half, half + 1)
    cutoff = 0.9 / factor
    taps = cutoff * np.sinc(cutoff * n) * np.hamming(len(n))
    scaled: Array = taps / taps.sum()
    return scaled


def window(kind: str, length: int) -> Array:
    """A periodic window, as spectra want it (``scipy.signal.get_window``)."""
    phase = 2 * np.pi * np.arange(length) / length
    centre = {"hann": 0.5, "hamming": 0.54}[kind]
    made: Array = centre - (1 - centre) * np.cos(phase)
    return made


def mel_bands(
    bands: int, low_hz: float, high_hz: float, *, rate_hz: float, fft_length: int, scale: str, area: bool
) -> Array:
    """[bands][fft_length / 2 + 1]: triangles between neighbouring points of a mel scale.

    HTK: 2595 log10(1 + f / 700). Slaney: linear to 1 kHz, then 27 steps per factor 6.4 (Auditory Toolbox).
    ``area``: each triangle has the area of one, not the height.
    """
    to_mel, to_hz = (_htk_mel, _htk_hz) if scale == "htk" else (_slaney_mel, _slaney_hz)
    points = to_hz(np.linspace(to_mel(np.array(low_hz)), to_mel(np.array(high_hz)), bands + 2))
    frequencies = np.arange(fft_length // 2 + 1) * (rate_hz / fft_length)
    rising = (frequencies - points[:-2, None]) / (points[1:-1] - points[:-2])[:, None]
    falling = (points[2:, None] - frequencies) / (points[2:] - points[1:-1])[:, None]
    weights: Array = np.maximum(0, np.minimum(rising, falling))
    return weights * (2 / (points[2:] - points[:-2]))[:, None] if area else weights


def cosines(coefficients: int, length: int) -> Array:
    """[coefficients][length]: the orthonormal DCT-II."""
    k, n = np.arange(coefficients)[:, None], np.arange(length)[None, :]
    matrix = np.sqrt(2 / length) * np.cos(np.pi * k * (2 * n + 1) / (2 * length))
    matrix[0] /= math.sqrt(2)
    made: Array = matrix
    return made


def _htk_mel(hz: Array) -> Array:
    made: Array = 2595 * np.log10(1 + hz / 700)
    return made


def _htk_hz(mel: Array) -> Array:
    made: Array = 700 * (10 ** (mel / 2595) - 1)
    return made


_LINEAR = 200 / 3  # Hz per mel below 1 kHz
_BREAK = 1000 / _LINEAR  # mel
_STEP = math.log(6.4) / 27


def _slaney_mel(hz: Array) -> Array:
    above = _BREAK + np.log(np.maximum(hz, 1000) / 1000) / _STEP
    return np.where(hz < 1000, hz / _LINEAR, above)


def _slaney_hz(mel: Array) -> Array:
    above = 1000 * np.exp(_STEP * (np.maximum(mel, _BREAK) - _BREAK))
    return np.where(mel < _BREAK, mel * _LINEAR, above)
