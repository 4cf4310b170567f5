# SPDX-License-Identifier: Apache-2.0
"""The PPK2's stream of 32-bit words, cut right even where bytes were lost or came in between.

The words carry nothing but a counter of 6 bits to tell their beginning by: a word counts as one where its
counter goes
on from the one before, and a new beginning where eight do. What lies between is given up, and so are three
words on either side: they may be made of two, and have the right counter by chance (one in 64).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WORD_BYTES = 4
COUNTER_SHIFT, COUNTER_MASK = 18, 0x3F
_RANGE_SHIFT, _RANGE_MASK, _TOP_RANGE = 14, 7, 4
_RUN = 8
_UNSURE = 3
Words = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Aligned:
    """The words of a stream: ``place`` is each one's number since the first, those that were lost counted;
    ``torn`` says how often the stream lost its step."""

    words: Words
    place: npt.NDArray[np.int64]
    torn: int

    @property
    def lost(self) -> int:
        return int(self.place[-1]) + 1 - len(self.words) if len(self.words) else 0


def align(data: bytes) -> Aligned:
    """Cuts a stream into words."""
    at = _Alignments(data)
    starts: list[tuple[int, int]] = []  # first byte of a run of words, and their number
    begin, torn = at.next_run(0), 0
    cut = begin != 0  # whether bytes were lost just before ``begin``
    while begin is not None:
        count = at.run_length(begin)
        end = begin + WORD_BYTES * count
        following = end if at.is_run(end) else at.next_run(end - WORD_BYTES + 1)
        torn += following is not None and following != end
        unsure = _UNSURE * cut
        starts.append((begin + WORD_BYTES * unsure, count - unsure - _UNSURE * (end != len(data))))
        begin, cut = following, True
    return _joined(at, starts, torn)


class _Alignments:
    """The four ways to cut the stream, and where in each the counters go on."""

    def __init__(self, data: bytes) -> None:
        self._words = [
            np.frombuffer(data, "<u4", (len(data) - shift) // WORD_BYTES, shift)
            if len(data) - shift >= WORD_BYTES
            else np.zeros(0, np.uint32)
            for shift in range(WORD_BYTES)
        ]
        steps = [_steps(words) for words in self._words]
        self._breaks = [np.flatnonzero(~step) for step in steps]
        need = max(1, min(_RUN - 1, len(data) // WORD_BYTES - 1))
        self._runs = [np.flatnonzero(_all_of(step, need)) for step in steps]

    def word(self, byte: int, count: int) -> Words:
        return self._words[byte % WORD_BYTES][byte // WORD_BYTES :][:count]

    def is_run(self, byte: int) -> bool:
        runs, index = self._runs[byte % WORD_BYTES], byte // WORD_BYTES
        place = int(np.searchsorted(runs, index))
        return place < len(runs) and int(runs[place]) == index

    def next_run(self, byte: int) -> int | None:
        """The first byte from there on at which a run begins."""
        found = []
        for shift, runs in enumerate(self._runs):
            first = -(-(byte - shift) // WORD_BYTES)
            place = int(np.searchsorted(runs, first))
            if place < len(runs):
                found.append(int(runs[place]) * WORD_BYTES + shift)
        return min(found, default=None)

    def run_length(self, byte: int) -> int:
        """Words from there on whose counters go on."""
        breaks, index = self._breaks[byte % WORD_BYTES], byte // WORD_BYTES
        place = int(np.searchsorted(breaks, index))
        end = int(breaks[place]) if place < len(breaks) else len(self._words[byte % WORD_BYTES]) - 1
        return end - index + 1


def _steps(words: Words) -> npt.NDArray[np.bool_]:
    """Whether each word is followed by one with the next counter, and both have a range that there is."""
    counter = ((words >> COUNTER_SHIFT) & COUNTER_MASK).astype(np.int64)
    known = ((words >> _RANGE_SHIFT) & _RANGE_MASK) <= _TOP_RANGE
    result: npt.NDArray[np.bool_] = ((np.diff(counter) & COUNTER_MASK) == 1) & known[:-1] & known[1:]
    return result


def _all_of(step: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    """Where ``count`` steps in a row are right."""
    if len(step) < count:
        return np.zeros(0, np.bool_)
    total = np.concatenate([[0], np.cumsum(step)])
    result: npt.NDArray[np.bool_] = total[count:] - total[:-count] == count
    return result


def _joined(at: _Alignments, starts: list[tuple[int, int]], torn: int) -> Aligned:
    pieces: list[Words] = []
    places: list[npt.NDArray[np.int64]] = []
    end_byte = end_place = end_counter = 0
    for begin, count in starts:
        words = at.word(begin, max(0, count))
        if not len(words):
            continue
        first = int(words[0] >> COUNTER_SHIFT) & COUNTER_MASK
        gap = 0
        if pieces:
            # The counter tells the gap but for whole turns, the bytes that were given up about how many.
            gap = (first - end_counter - 1) & COUNTER_MASK
            turns = round(((begin - end_byte) / WORD_BYTES - gap) / (COUNTER_MASK + 1))
            gap += max(0, turns) * (COUNTER_MASK + 1)
        start = end_place + gap
        pieces.append(words)
        places.append(np.arange(start, start + len(words)))
        end_byte, end_place = begin + WORD_BYTES * count, start + len(words)
        end_counter = int(words[-1] >> COUNTER_SHIFT) & COUNTER_MASK
    if not pieces:
        return Aligned(np.zeros(0, np.uint32), np.zeros(0, np.int64), torn)
    return Aligned(np.concatenate(pieces), np.concatenate(places), torn)
