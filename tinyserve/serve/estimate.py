# SPDX-License-Identifier: Apache-2.0
"""How long an inference takes a member at most: what admission reckons with."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median

REMEMBERED = 64
REMEMBERED_S = 60.0
"""One hiccup of this computer is no reason to refuse for ever what the member can do."""
MARGIN = 1.1
SHARED_MARGIN = 1.5
"""Of twins and hosts: this computer does other work, too."""
SLACK_S = 0.001
"""On top: a change of threads, and the event loop's other work."""


class ServiceTime:
    """The longest of the last inferences, and a margin. A device computes each input in the same number of
    instructions (but for models with branches), and its line's rate is known: what varies is this
    computer.

    ``opening_s``: what it took when the member was opened. The last REMEMBERED inferences count, each for
    REMEMBERED_S; of older ones their median alone. So a bound that one slow inference raised falls again,
    also where nothing is admitted because of it. Times are seconds of one monotonic clock, which is passed
    in.
    """

    def __init__(self, opening_s: Sequence[float], now_s: float, margin: float = MARGIN) -> None:
        self._margin = margin
        self._seen = deque([(now_s, seconds) for seconds in opening_s], maxlen=REMEMBERED)

    def bound_s(self, now_s: float) -> float:
        """What is promised."""
        recent = [seconds for ended_s, seconds in self._seen if now_s - ended_s <= REMEMBERED_S]
        longest_s = max(recent) if recent else median(seconds for _, seconds in self._seen)
        return longest_s * self._margin + SLACK_S

    def saw(self, seconds: float, now_s: float) -> None:
        """An inference that ended now took so long."""
        self._seen.append((now_s, seconds))
