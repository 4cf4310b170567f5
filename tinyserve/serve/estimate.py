# SPDX-License-Identifier: Apache-2.0
"""How long an inference takes a member at most: what admission reckons with."""

from __future__ import annotations

from collections import deque

REMEMBERED = 64
MARGIN = 1.1
SHARED_MARGIN = 1.5
"""Of twins and hosts: this computer does other work, too."""
SLACK_S = 0.001
"""On top: a change of threads, and the event loop's other work."""


class ServiceTime:
    """The longest of the last inferences, and a margin. A device computes each input in the same number of
    instructions (but for models with branches), and its line's rate is known: what varies is this
    computer."""

    def __init__(self, first_s: float, margin: float = MARGIN) -> None:
        self._margin = margin
        self._seen: deque[float] = deque([first_s], maxlen=REMEMBERED)
        self._longest_s = first_s

    @property
    def bound_s(self) -> float:
        """What is promised."""
        return self._longest_s * self._margin + SLACK_S

    def saw(self, seconds: float) -> bool:
        """Another one; whether ``bound_s`` has changed."""
        before_s = self._longest_s
        gone_s = self._seen[0] if len(self._seen) == REMEMBERED else 0.0
        self._seen.append(seconds)
        if seconds >= self._longest_s:
            self._longest_s = seconds
        elif gone_s >= self._longest_s:
            self._longest_s = max(self._seen)
        return self._longest_s != before_s
