# SPDX-License-Identifier: Apache-2.0
"""What a device would count of inferences that it looks at, counted on this computer: by the rules of
firmware_templates/serve/health.c."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import TensorInfo
from tinyserve.health.counters import Counters
from tinyserve.health.level import PLACES
from tinyserve.health.profile import BINS, CODES, MOST_CLASSES, MOST_GROUPS, Array, parts_of, scores_of

THRESHOLD_STEP = 7
GOLDEN_RATIO = 0x9E3779B9
_WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class _Look:
    """Codes of input 0, where in it they lie, and scores (1, ...): none of an output that is not of some
    classes, which may be large."""

    number: int
    places: npt.NDArray[np.int64]
    codes: Array
    output: Array


class Tally:
    """Of the last ``most`` inferences that were shown to it (0: of all): 16 codes of input 0 of each, and its
    scores. ``seen`` of them have been shown altogether."""

    def __init__(self, model_sha256: str, given: TensorInfo, scores: TensorInfo, most: int = 0) -> None:
        self._model_sha256 = model_sha256
        self._given, self._scores = given, scores
        last = given.shape[-1] if len(given.shape) > 1 else 1
        self._channels = last if last <= MOST_GROUPS else 1
        self._has_scores = math.prod(scores.shape) <= MOST_CLASSES
        self._looks: deque[_Look] = deque(maxlen=most or None)
        self._place = 0
        self.seen = 0

    def look(self, given: bytes, scores: bytes) -> None:
        """One inference: the bytes of input 0 and output 0."""
        values = np.frombuffer(given, self._given.dtype)
        size = len(values)
        step = 1 if size <= CODES else size // CODES | 1
        begin = self._place if self._place < size else 0
        places = (begin + step * np.arange(min(size, CODES))) % max(size, 1)
        self._place = int(places[-1] + step) % size + 1 if size else 0
        self.seen += 1
        output = np.frombuffer(scores if self._has_scores else b"", self._scores.dtype)[None]
        self._looks.append(_Look(self.seen, places, values[places], output))

    def counters(self) -> Counters:
        """Their sum, as a device's."""
        looks = list(self._looks)
        codes, fine, ends = self._count(looks)
        confidence, classes = scores_of(np.concatenate([one.output for one in looks])) if looks else ([], [])
        return Counters(
            model_sha256=self._model_sha256, inferences=len(looks), looked_at=len(looks), faults=0, resets=0,
            last_reason=0, unsure=sum(confidence[: BINS // 2]), ticks_min=0, ticks_max=0, ticks_sum=0,
            clipped_low=ends[0], clipped_high=ends[1], drop=0.0, full=False, confidence=confidence,
            classes=classes, codes=codes, fine=fine,
        )  # fmt: skip

    def _count(self, looks: list[_Look]) -> tuple[list[list[int]], list[int], tuple[int, int]]:
        """Codes by channel and bin, fine codes by channel, and those at either end of the type's range."""
        dtype = np.dtype(self._given.dtype)
        if dtype.kind not in "iu" or dtype.itemsize > 2 or not looks:
            return [], [], (0, 0)
        codes = np.stack([one.codes for one in looks])
        channels = np.stack([one.places for one in looks]) % self._channels
        sixteenths = parts_of(codes, BINS * PLACES)
        counts = np.zeros((self._channels, BINS), np.int64)
        np.add.at(counts, (channels, sixteenths // PLACES), 1)
        fine = np.zeros(self._channels, np.int64)
        np.add.at(fine, channels, sixteenths % PLACES > _thresholds([one.number for one in looks], codes))
        limits = np.iinfo(dtype)
        ends = int(np.sum(codes == limits.min)), int(np.sum(codes == limits.max))
        return [[int(count) for count in row] for row in counts], [int(count) for count in fine], ends


def _thresholds(numbers: list[int], codes: Array) -> npt.NDArray[np.int64]:
    """Of each code (looks, codes): in turn, and by the golden ratio from look to look."""
    first = np.array([(number * GOLDEN_RATIO & _WORD) >> 27 for number in numbers], np.int64)
    return (first[:, None] + THRESHOLD_STEP * np.arange(codes.shape[1])) % (2 * PLACES)
