# SPDX-License-Identifier: Apache-2.0
"""A trace from a file instead of a meter: analyses can be repeated, and tested without hardware."""

from __future__ import annotations

from pathlib import Path

from tinyserve.bench.energy import trace as traces
from tinyserve.bench.energy.trace import Trace


class ReplayMeter:
    """The meter behind ``file:PATH``."""

    def __init__(self, path: Path, supply_v: float | None) -> None:
        self._trace = traces.load(path, supply_v)

    def start(self) -> None:
        """There is nothing to start."""

    def poll(self) -> None:
        """Everything is there."""

    def stop(self) -> Trace:
        return self._trace

    def close(self) -> None:
        """There is nothing to free."""
