# SPDX-License-Identifier: Apache-2.0
"""Energy per inference from a current trace: windows are cut, idle is subtracted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bench.energy.trace import Trace
from tinyserve.bench.result import Energy, EnergyTrace
from tinyserve.errors import DataError

Window = tuple[int, int]
"""First sample of a window, and the first after it."""

DRAWN_POINTS = 1500
MIN_CONTRAST = 1.2
"""Without a marker, active current must be this many times the idle one for windows to be found."""


@dataclass(frozen=True)
class Cut:
    """Windows of a trace, and how they were found: ``marker`` or ``threshold``."""

    windows: list[Window]
    method: str


def cut(trace: Trace) -> Cut:
    """The windows in which the firmware was inferring: by its energy marker where the meter sees it, else
    where the current is above the middle between idle and active. Raises DataError where there are none."""
    if trace.marker is not None and trace.marker.any():
        windows = _inside(trace, _runs(trace.marker != 0))
        method = "marker"
    else:
        windows = _inside(trace, _runs(_active(trace)))
        method = "threshold"
    if not windows:
        raise DataError(
            f"{trace.meter}: the trace shows no inference", "wire the board's marker pin, or record longer"
        )
    return Cut(windows, method)


def measure(trace: Trace, inferences_per_window: int = 1) -> Energy:
    """Energy of one inference: the mean over all windows, with idle power subtracted and without.

    Each sample holds until the next; idle is the median outside of the windows. Raises DataError where no
    window or no idle time is in the trace.
    """
    found = cut(trace)
    inside = np.zeros(len(trace), dtype=bool)
    for first, end in found.windows:
        inside[first:end] = True
    if inside.all():
        raise DataError(f"{trace.meter}: the trace shows no idle time", "start recording before the bench")
    idle_mw = float(np.median(trace.current_ua[~inside])) * trace.supply_v / 1000
    hold_us = np.diff(trace.time_us, append=trace.time_us[-1])
    energy_uj = trace.current_ua * trace.supply_v * hold_us / 1e6
    total_uj = float(sum(energy_uj[first:end].sum() for first, end in found.windows))
    busy_us = float(sum(hold_us[first:end].sum() for first, end in found.windows))
    inferences = len(found.windows) * inferences_per_window
    return Energy(
        meter=f"{trace.meter}, windows by {found.method}",
        per_inference_uj=(total_uj - idle_mw * busy_us / 1000) / inferences,
        per_inference_with_idle_uj=total_uj / inferences,
        average_mw=total_uj / busy_us * 1000 if busy_us else 0.0,
        idle_mw=idle_mw,
        supply_v=trace.supply_v,
        inferences=inferences,
        samples=len(trace),
        dropped_samples=trace.dropped,
        calibration=trace.calibration,
        trace=_thinned(trace, found.windows),
    )


def _active(trace: Trace) -> npt.NDArray[np.bool_]:
    """Where the current is above the middle between its low and its high level."""
    low, high = (float(level) for level in np.percentile(trace.current_ua, [5, 95]))
    if high < MIN_CONTRAST * max(low, 1e-9):
        return np.zeros(len(trace), dtype=bool)
    active: npt.NDArray[np.bool_] = trace.current_ua > (low + high) / 2
    return active


def _runs(flags: npt.NDArray[np.bool_]) -> list[Window]:
    """The runs of true values."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _inside(trace: Trace, windows: list[Window]) -> list[Window]:
    """Windows that begin and end within the trace: one that the recording cut is not a whole inference."""
    return [(first, end) for first, end in windows if first > 0 and end < len(trace)]


def _thinned(trace: Trace, windows: list[Window]) -> EnergyTrace:
    """At most DRAWN_POINTS points: the lowest and highest of each stretch, so that peaks stay."""
    stretch = max(1, -(-len(trace) * 2 // DRAWN_POINTS))
    kept: set[int] = {0, len(trace) - 1}
    for start in range(0, len(trace), stretch):
        part = trace.current_ua[start : start + stretch]
        kept |= {start + int(part.argmin()), start + int(part.argmax())}
    chosen: npt.NDArray[Any] = np.array(sorted(kept))
    return EnergyTrace(
        time_us=[round(float(value), 3) for value in trace.time_us[chosen]],
        current_ua=[round(float(value), 3) for value in trace.current_ua[chosen]],
        windows=[(float(trace.time_us[first]), float(trace.time_us[end])) for first, end in windows],
    )
