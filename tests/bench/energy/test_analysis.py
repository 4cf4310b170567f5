# SPDX-License-Identifier: Apache-2.0
"""Energy arithmetic on traces whose answer is known, and the trace file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.bench.energy import open_meter
from tinyserve.bench.energy import trace as traces
from tinyserve.bench.energy.analysis import cut, measure
from tinyserve.bench.energy.meter import Recording
from tinyserve.bench.energy.trace import Trace
from tinyserve.errors import DataError, FileSystemError


def pulses(
    count: int = 3,
    idle_ua: float = 50,
    active_ua: float = 8000,
    *,
    marker: bool = True,
    width: int = 20,
    gap: int = 30,
) -> Trace:
    flags = np.concatenate([np.zeros(gap)] + [np.r_[np.ones(width), np.zeros(gap)] for _ in range(count)])
    current = np.where(flags > 0, active_ua, idle_ua).astype(np.float64)
    times = np.arange(len(flags)) * 10.0
    return Trace(times, current, flags.astype(np.uint8) if marker else None, 3.0, "test")


@given(
    st.integers(1, 5), st.floats(1, 1000), st.floats(1.5, 100), st.integers(2, 50), st.booleans()
)  # fmt: skip
def test_energy_is_power_above_idle_times_time(
    count: int, idle_ua: float, ratio: float, width: int, marker: bool
) -> None:
    active_ua = idle_ua * ratio
    energy = measure(pulses(count, idle_ua, active_ua, marker=marker, width=width, gap=width * 2))
    seconds = width * 10e-6
    assert energy.inferences == count
    assert energy.per_inference_uj == pytest.approx((active_ua - idle_ua) * 3.0 * seconds)
    assert energy.per_inference_with_idle_uj == pytest.approx(active_ua * 3.0 * seconds)
    assert energy.average_mw == pytest.approx(active_ua * 3.0 / 1000)
    assert energy.idle_mw == pytest.approx(idle_ua * 3.0 / 1000)


def test_several_inferences_in_a_window_share_its_energy() -> None:
    one, ten = measure(pulses()), measure(pulses(), inferences_per_window=10)
    assert ten.per_inference_uj == pytest.approx(one.per_inference_uj / 10)
    assert ten.inferences == 30


def test_windows_that_the_recording_cut_are_left_out() -> None:
    whole = pulses(3)
    part = Trace(whole.time_us[40:-40], whole.current_ua[40:-40], whole.marker[40:-40], 3.0, "test")  # type: ignore[index]
    assert len(cut(part).windows) == 1


def test_the_marker_wins_over_the_current() -> None:
    trace = pulses(2, marker=True)
    assert cut(trace).method == "marker"
    assert cut(pulses(2, marker=False)).method == "threshold"


def test_a_flat_trace_has_no_windows() -> None:
    with pytest.raises(DataError, match="shows no inference"):
        measure(pulses(active_ua=50, marker=False))


def test_the_drawn_trace_is_thin_and_keeps_its_peaks() -> None:
    trace = pulses(1, width=2, gap=20_000)
    drawn = measure(trace).trace
    assert drawn
    assert len(drawn.time_us) <= 1600
    assert max(drawn.current_ua) == 8000
    assert drawn.windows == [(200_000.0, 200_020.0)]


@pytest.mark.parametrize("marker", [True, False])
def test_a_trace_survives_its_file(tmp_path: Path, marker: bool) -> None:
    trace = pulses(marker=marker)
    path = tmp_path / "trace.csv"
    traces.save(trace, path)
    back = traces.load(path)
    assert np.array_equal(back.time_us, trace.time_us)
    assert np.array_equal(back.current_ua, trace.current_ua)
    assert (back.marker is None) == (not marker)
    assert back.supply_v == 3.0
    assert measure(back) == measure(trace)


def test_a_file_replays_as_a_meter(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    traces.save(pulses(), path)
    with Recording(open_meter(f"file:{path}")) as recording:
        pass
    assert measure(recording.trace).inferences == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no trace"),
        ("timestamp_us,current_ua\n", "holds no trace"),
        ("0,1\n1,x\n", "could not convert"),
        ("0,1\n1,nan\n", "not finite"),
        ("5,1\n1,2\n", "time runs backwards"),
        ("1\n2\n", "holds no trace"),
        ("0,1\n1,2\n", "supply voltage is not known"),
    ],
)
def test_a_bad_trace_file_is_named_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        traces.load(path)
    assert said in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_trace_is_a_file_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match=r"none\.csv"):
        traces.load(tmp_path / "none.csv")
