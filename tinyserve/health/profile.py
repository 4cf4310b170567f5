# SPDX-License-Identifier: Apache-2.0
"""The reference profile: what the counters of a device would show of the representative data.

Histograms are the device's (firmware_templates/serve/health.h): sixteenths of the type's range, one per
channel of input 0 where it has up to four, else one; the highest score of output 0 and its class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.documents import from_json
from tinyserve.errors import FileSystemError, ModelError
from tinyserve.health.level import PLACES, Floats, Level, Moments, level_of
from tinyserve.health.shift import MOST_WEIGHT, Shift, shares_of, shifts_of

PROFILE_FILE = "profile.json"
BINS = 16
MOST_GROUPS = 4
MOST_CLASSES = 16
CODES = 16
"""That a device counts of an input it looks at."""
_LEAST_LOOKS = 8
"""Samples that covariances are taken of."""
_MOST_COUNTED = 1 << 53
Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]


class Histogram(msgspec.Struct, frozen=True):
    """Counts per bin of the reference. ``between``: covariance over samples of the shares of the bins (bins,
    bins), since an input's codes belong together; empty where too few samples are known to tell: then there
    are no ``level`` and no ``shifts`` (up, down) either."""

    counts: list[int]
    between: list[list[float]] = []
    level: Level | None = None
    shifts: list[Shift] = []


class Profile(msgspec.Struct, frozen=True):
    """Of ``samples`` inputs. ``codes``: a histogram per channel; empty for types that have none.
    ``confidence`` and ``classes`` are empty where output 0 is no vector of up to 16 scores. ``clipped``:
    shares of codes at the least and greatest value. ``together``: shifts of all channels where there are
    several."""

    samples: int
    codes: list[Histogram]
    clipped: tuple[float, float]
    confidence: list[int]
    classes: list[int]
    together: list[Shift] = []


def profile_of(inputs: Array, outputs: Array) -> Profile:
    """The profile of samples of input 0 and output 0, sample axis first, in the model's own types."""
    codes = _codes(inputs) if inputs.size else None
    confidence, classes = scores_of(outputs) if outputs.size else ([], [])
    if codes is None:
        return Profile(len(inputs), [], (0.0, 0.0), confidence, classes)
    limits = np.iinfo(inputs.dtype)
    clipped = (float(np.mean(inputs == limits.min)), float(np.mean(inputs == limits.max)))
    shares = shares_of(codes)
    groups = range(codes.shape[2])
    histograms = [_histogram(codes[:, :, group], shares[:, group : group + 1]) for group in groups]
    together = shifts_of(shares) if len(groups) > 1 and len(codes) >= _LEAST_LOOKS else []
    return Profile(len(inputs), histograms, clipped, confidence, classes, together)


def load(bundle: Path) -> Profile | None:
    """The profile of a bundle; None for one without. Raises FileSystemError and ModelError."""
    path = bundle / PROFILE_FILE
    if not path.exists():
        return None
    try:
        return _checked(from_json(path.read_bytes(), Profile), path)
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "convert again") from error
    except msgspec.DecodeError as error:
        raise ModelError(f"{path}: {error}", "convert again with this version") from error


def _checked(profile: Profile, path: Path) -> Profile:
    """A profile whose histograms have as many bins as a device's. Raises ModelError."""
    counts = [profile.samples, *profile.confidence, *profile.classes]
    counts += [count for histogram in profile.codes for count in histogram.counts]
    if profile.samples < bool(profile.codes) or not all(0 <= count <= _MOST_COUNTED for count in counts):
        raise ModelError(f"{path}: counts that can't be", "convert again with this version")
    for histogram in profile.codes:
        rows: list[list[float]] = [[float(count) for count in histogram.counts], *histogram.between]
        if {len(row) for row in rows} != {BINS} or len(rows) not in {1, 1 + BINS}:
            raise ModelError(
                f"{path}: a histogram of other than {BINS} bins", "convert again with this version"
            )
        known = _is_level(histogram.level) and _are_shifts(histogram.shifts, 1)
        if not np.all(np.isfinite(rows)) or not known:
            raise ModelError(
                f"{path}: a histogram with values that can't be", "convert again with this version"
            )
    if not _are_shifts(profile.together, len(profile.codes)):
        raise ModelError(f"{path}: shifts with values that can't be", "convert again with this version")
    return profile


def _is_level(level: Level | None) -> bool:
    if level is None:
        return True
    both: tuple[Moments, ...] = (level.value, level.place)
    known = [number for one in both for number in (one.mean, one.between, one.single)]
    return all(0 <= number < BINS**2 for number in known)


def _are_shifts(shifts: list[Shift], channels: int) -> bool:
    """None, or up and down."""
    return len(shifts) in {0, 2} and all(_is_shift(shift, channels) for shift in shifts)


def _is_shift(shift: Shift, channels: int) -> bool:
    """Numbers of JSON are finite or too large."""
    if [len(row) for row in shift.weights] != [BINS] * channels:
        return False
    most = MOST_WEIGHT * channels
    known = [*(number for row in shift.weights for number in row), shift.mean, shift.shifted]
    return all(abs(number) <= most for number in known) and 0 <= shift.between <= most**2


def _codes(inputs: Array) -> Integers | None:
    """Sixteenths of bins (samples, places, channels); None for types that have none."""
    if inputs.dtype.kind not in "iu" or inputs.dtype.itemsize > 2:
        return None
    last = inputs.shape[-1] if inputs.ndim > 1 else 1
    groups = last if last <= MOST_GROUPS else 1
    return parts_of(inputs, BINS * PLACES).reshape(len(inputs), -1, groups)


def bins_of(values: Array) -> Integers:
    """The sixteenth of its type's range that each integer lies in; of 0 to 1 for floats."""
    if values.dtype.kind == "f":
        known = np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0)
        bins: Integers = np.minimum(np.floor(known * BINS), BINS - 1).astype(np.int64)
        return bins
    return parts_of(values, BINS)


def parts_of(values: Array, parts: int) -> Integers:
    """Which of so many equal parts, a power of two, of its type's range each integer lies in."""
    span = 8 * values.dtype.itemsize
    return (values.astype(np.int64) - int(np.iinfo(values.dtype).min)) >> span - parts.bit_length() + 1


def _histogram(codes: Integers, shares: Floats) -> Histogram:
    """Of codes (samples, places) in sixteenths of a bin, and their shares (samples, 1, codes)."""
    per_sample = shares[:, 0].reshape(len(codes), BINS, PLACES).sum(axis=2)
    counts = [round(float(count)) for count in per_sample.sum(axis=0) * codes.shape[1]]
    if len(codes) < _LEAST_LOOKS:
        return Histogram(counts)
    between = [[round(float(value), 9) for value in row] for row in np.cov(per_sample, rowvar=False)]
    return Histogram(counts, between, level_of(codes), shifts_of(shares))


def scores_of(outputs: Array) -> tuple[list[int], list[int]]:
    """Histograms of the highest score and of its class; two empty ones for anything but some classes."""
    scores = outputs.reshape(len(outputs), -1)
    if not 1 < scores.shape[1] <= MOST_CLASSES or scores.dtype.itemsize > 4 or scores.dtype.kind not in "iuf":
        return [], []
    if scores.dtype.kind != "f" and scores.dtype.itemsize > 2:
        return [], []
    confidence = np.bincount(bins_of(scores.max(axis=1)), minlength=BINS)
    classes = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
    return [int(count) for count in confidence], [int(count) for count in classes]
