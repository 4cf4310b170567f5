# SPDX-License-Identifier: Apache-2.0
"""What a device counts, by the rules of health.c, in numpy: for many seeds at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.health.counters import Counters
from tinyserve.health.level import PLACES
from tinyserve.health.profile import BINS, CODES, MOST_GROUPS, bins_of

THRESHOLD_STEP = 7
GOLDEN_RATIO = 0x9E3779B9
Array = npt.NDArray[np.int8]


def counted(inputs: Array, outputs: Array | None = None, sha256: str = "") -> Counters:
    """Counters after inferences that were all looked at. Inputs and scores with the sample axis first."""
    channels = inputs.shape[-1] if inputs.ndim > 1 and inputs.shape[-1] <= MOST_GROUPS else 1
    flat = inputs.reshape(len(inputs), -1)
    size = flat.shape[1]
    looked = min(size, CODES)
    step = 1 if size <= CODES else size // CODES | 1
    codes = np.zeros((channels, BINS), np.int64)
    fine = np.zeros(channels, np.int64)
    low = high = place = 0
    for look, values in enumerate(flat, 1):
        place = place if place < size else 0
        places = (place + step * np.arange(looked)) % size
        picked = values[places]
        np.add.at(codes, (places % channels, bins_of(picked)), 1)
        first = (look * GOLDEN_RATIO & 0xFFFFFFFF) >> 27
        thresholds = (first + THRESHOLD_STEP * np.arange(looked)) % (2 * PLACES)
        np.add.at(fine, places % channels, ((picked.astype(np.int64) + 128) % PLACES > thresholds))
        low += int(np.sum(picked == -128))
        high += int(np.sum(picked == 127))
        place = int(places[-1] + step) % size + 1
    confidence = classes = np.zeros(0, np.int64)
    if outputs is not None:
        confidence = np.bincount(bins_of(outputs.max(axis=1)), minlength=BINS)
        classes = np.bincount(outputs.argmax(axis=1), minlength=outputs.shape[1])
    return Counters(
        sha256, len(inputs), len(inputs), 0, 0, 0, 0, 1, 1, len(inputs), low, high, 0.0, False,
        [int(count) for count in confidence], [int(count) for count in classes],
        [[int(count) for count in row] for row in codes], [int(count) for count in fine],
    )  # fmt: skip
