# SPDX-License-Identifier: Apache-2.0
"""Meters against fakes that speak their protocols over a pty: samples, drop-outs, ranges, unplugging."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from tests.bench.energy.fakes import LineInstrument, Lpm01aInstrument, Ppk2Instrument, count_reads, square
from tinyserve.bench.energy import open_meter
from tinyserve.bench.energy.analysis import measure
from tinyserve.bench.energy.meter import Recording
from tinyserve.errors import DeviceError, UsageError

SAMPLES = 1000


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    count_reads(monkeypatch)


def lines(marker: bool = True, start_us: int = 0, step_us: int = 100) -> Iterator[str]:
    for index in range(SAMPLES):
        field = f",{int(square(index) > 3000)}" if marker else ""
        yield f"{(start_us + index * step_us) % 2**32},{square(index)}{field}"


def test_the_line_protocol_gives_every_sample_with_its_marker() -> None:
    with LineInstrument(lines()) as fake:
        meter = open_meter(f"serial:{fake.port}", 3.0)
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    trace = recording.trace
    assert len(trace) == SAMPLES
    assert trace.marker is not None
    assert trace.current_ua.tolist() == [square(index) for index in range(SAMPLES)]
    assert np.array_equal(trace.marker, trace.current_ua > 3000)
    energy = measure(trace)
    assert energy.per_inference_uj == pytest.approx(5000 * 3.0 * 4000 / 1e6)


def test_lost_samples_overranges_and_comments_of_the_line_protocol_are_counted() -> None:
    text = ["# INA228 on a bench", "0,100", "10,100", "drop,7", "20,nan", "30,garbage", "40,100", "50,100"]
    with LineInstrument(iter(text)) as fake:
        meter = open_meter(f"serial:{fake.port}")
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    trace = recording.trace
    assert trace.time_us.tolist() == [0, 10, 40, 50]
    assert (trace.dropped, trace.overrange) == (7 + 1, 1)


def test_a_clock_of_32_bits_that_wraps_goes_on() -> None:
    with LineInstrument(lines(start_us=2**32 - 20_000)) as fake:
        meter = open_meter(f"serial:{fake.port}")
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    assert np.diff(recording.trace.time_us).tolist() == [100.0] * (SAMPLES - 1)


def test_a_port_that_sends_other_text_is_not_taken_for_a_meter() -> None:
    with LineInstrument(itertools.repeat("m-ready", 100)) as fake:
        meter = open_meter(f"serial:{fake.port}")
        with pytest.raises(DeviceError, match="m-ready"), Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()


def test_a_silent_meter_is_named() -> None:
    with LineInstrument(iter(())) as fake:
        meter = open_meter(f"serial:{fake.port}")
        with pytest.raises(DeviceError, match="sent no samples"), Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()


def test_a_meter_that_is_unplugged_in_a_recording_is_an_error_and_not_a_hang() -> None:
    with LineInstrument(lines()) as fake:
        meter = open_meter(f"serial:{fake.port}")
        with pytest.raises(DeviceError, match=r"vanished|sent no samples"), Recording(meter) as recording:
            fake.wait_recorded(recording)
            fake.unplug()
        meter.close()


def test_a_port_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DeviceError, match="cannot be opened"):
        open_meter("serial:/dev/does-not-exist")


def word(microamps: float, counter: int, logic: int = 0) -> int:
    """A PPK2 sample in range 2 (10 ohm): I = adc * 4 * (1.8 / 163840) / R."""
    adc = round(microamps / 1e6 * 10.0 / (1.8 / 163840) / 4)
    return adc | 2 << 14 | (counter & 0x3F) << 18 | logic << 24


def test_the_ppk2_gives_currents_of_its_calibration_and_d0_as_marker() -> None:
    pytest.importorskip("ppk2_api")
    samples = (word(square(i), i, logic=int(square(i) > 3000)) for i in range(SAMPLES))
    with Ppk2Instrument(samples) as fake:
        meter = open_meter(f"ppk2:{fake.port}", 3.0)
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
        trace = recording.trace
        assert fake.received.startswith(b"\x19")
        assert b"\x0d\x0b\xb8" in fake.received  # 3000 mV is 2200 above 800: 3 + 8, 184
    assert len(trace) == SAMPLES
    assert np.allclose(trace.current_ua, [square(i) for i in range(SAMPLES)], atol=5)
    assert trace.marker is not None
    assert trace.marker.sum() == SAMPLES * 0.4
    assert "hardware 9173" in trace.calibration
    assert measure(trace).per_inference_uj == pytest.approx(5000 * 3.0 * 400 / 1e6, rel=0.01)


def test_samples_that_the_ppk2_lost_leave_a_gap_in_time() -> None:
    pytest.importorskip("ppk2_api")
    kept = [i for i in range(300) if not 100 <= i < 110]
    with Ppk2Instrument(word(1000, i) for i in kept) as fake:
        meter = open_meter(f"ppk2:{fake.port}")
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    # And three samples on either side of the gap: bytes of theirs may be lost, too.
    assert recording.trace.dropped == 16
    assert recording.trace.time_us.tolist() == [10.0 * i for i in kept if not 97 <= i < 113]


def test_the_end_of_the_ppk2s_largest_range_is_counted_as_overrange() -> None:
    pytest.importorskip("ppk2_api")
    full = [0x3FFF | 4 << 14 | (i & 0x3F) << 18 for i in range(10)]
    with Ppk2Instrument(iter(full)) as fake:
        meter = open_meter(f"ppk2:{fake.port}")
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    assert recording.trace.overrange == 10


def test_a_device_that_is_no_ppk2_is_refused() -> None:
    pytest.importorskip("ppk2_api")
    with LineInstrument(iter(())) as fake, pytest.raises(DeviceError, match="does not answer as a PPK2"):
        open_meter(f"ppk2:{fake.port}")


def shield_lines() -> Iterator[str]:
    """10 kHz: ten samples to a line, a time stamp each 100 ms."""
    for start in range(0, 4000, 10):
        if start % 1000 == 0:
            yield f"TimeStamp: {start // 10000:03}s {start // 10 % 1000:03}ms, buff 01%"
        yield "".join(f"{round(square(i) / 10):04}-05" for i in range(start, start + 10))


def test_the_lpm01a_is_configured_and_its_samples_decoded() -> None:
    with Lpm01aInstrument(shield_lines()) as fake:
        meter = open_meter(f"lpm01a:{fake.port}", 3.0)
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
        assert fake.commands[:4] == ["htc", "powershield", "volt 3000m", "freq 10k"]
    trace = recording.trace
    assert np.allclose(trace.current_ua, [square(i) for i in range(4000)])
    assert np.allclose(np.diff(trace.time_us), 100.0)
    energy = measure(trace)
    assert energy.meter.endswith("windows by threshold")
    assert energy.per_inference_uj == pytest.approx(5000 * 3.0 * 4000 / 1e6)
    assert "0123456789ABCDEF" in trace.calibration


def test_time_stamps_of_the_lpm01a_tell_what_was_lost() -> None:
    text = [
        "TimeStamp: 000s 000ms, buff 00%",
        *["1000-06" * 10] * 10,
        "TimeStamp: 000s 110ms, buff 90%",
        "1000-06" * 10,
    ]
    with Lpm01aInstrument(iter(text)) as fake:
        meter = open_meter(f"lpm01a:{fake.port}")
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    assert recording.trace.dropped == 1000
    assert recording.trace.time_us[100] == 110_000


def test_an_error_of_the_lpm01a_is_passed_on() -> None:
    with Lpm01aInstrument(iter(()), refuse="volt") as fake, pytest.raises(DeviceError, match="error volt"):
        open_meter(f"lpm01a:{fake.port}")


@pytest.mark.parametrize(("text", "volts"), [("ppk2:/dev/null", 9.0), ("lpm01a:/dev/null", 5.0)])
def test_a_supply_that_a_meter_cannot_give_is_refused_before_it_is_opened(text: str, volts: float) -> None:
    with pytest.raises(UsageError, match="supplies"):
        open_meter(text, volts)


@pytest.mark.parametrize("text", ["", "multimeter", "serial:", "lpm01a", "file:"])
def test_an_unknown_meter_names_the_known_ones(text: str) -> None:
    with pytest.raises(UsageError, match="no such meter") as caught:
        open_meter(text)
    assert "ppk2" in caught.value.hint


def test_times_that_leap_for_one_line_are_damaged_lines_and_not_wraps() -> None:
    text = ["0,100", "10,100", "2000000020,100", "30,100", "4,100", "50,100"]
    text += ["9" * 400 + ",1", "60," + "9" * 400, "70,5"]
    with LineInstrument(iter(text)) as fake:
        meter = open_meter(f"serial:{fake.port}")
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    assert recording.trace.time_us.tolist() == [0, 10, 30, 50, 70]
    assert recording.trace.dropped == 4


def test_a_meter_that_never_ends_its_line_is_an_error() -> None:
    with LineInstrument(iter(["0" * 5000] * 3)) as fake:
        meter = open_meter(f"serial:{fake.port}")
        with pytest.raises(DeviceError, match="without a line end"), Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()


@pytest.mark.parametrize("lost", range(14))
def test_a_line_of_the_lpm01a_that_lost_a_character_gives_no_other_current(lost: int) -> None:
    whole = "1000-061000-061000-06"
    text = ["TimeStamp: 000s 000ms, buff 00%", whole, whole[:lost] + whole[lost + 1 :], whole, "1000+06" * 3]
    with Lpm01aInstrument(iter(text)) as fake:
        meter = open_meter(f"lpm01a:{fake.port}")
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    assert np.allclose(recording.trace.current_ua, 1000.0)
    assert (len(recording.trace), recording.trace.dropped) == (6, 6)


def test_a_ppk2_stream_that_loses_a_byte_keeps_its_currents() -> None:
    pytest.importorskip("ppk2_api")
    words = [word(1000.0, index) for index in range(2000)]
    data = np.array(words, "<u4").tobytes()
    damaged = (data[:3001] + data[3002:])[: len(data) - 4]
    with Ppk2Instrument(iter(np.frombuffer(damaged, "<u4").tolist())) as fake:
        meter = open_meter(f"ppk2:{fake.port}", 3.0)
        with Recording(meter) as recording:
            fake.wait_recorded(recording)
        meter.close()
    trace = recording.trace
    assert np.ptp(trace.current_ua) < 1.0
    assert 0 < trace.dropped <= 8
    assert len(trace) + trace.dropped == pytest.approx(1999, abs=4)
