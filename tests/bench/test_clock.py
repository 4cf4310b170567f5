# SPDX-License-Identifier: Apache-2.0
"""A board whose clock is not the file's: which one becomes time, and who is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.bench.models import write_classifier
from tests.devices.faulty_line import faulty_line
from tinyserve import boards, workflow
from tinyserve.bench.clock import clock_of
from tinyserve.cli.main import main
from tinyserve.devices.client import DeviceInfo
from tinyserve.progress import silent

H743 = boards.load("nucleo-h743zi")
INFO = DeviceInfo(
    protocol=1, version="0", model_sha256="", engine="aot", board="nucleo-h743zi", core="cortex-m7",
    input_bytes=(), output_bytes=(), tick_unit="cycles", tick_hz=480_000_000, arena_bytes=0, layers=0,
    line_bytes=80, clock_hz=480_000_000, counted_tick_hz=480_012_345,
)  # fmt: skip


def info(**changed: object) -> DeviceInfo:
    fields = {name: getattr(INFO, name) for name in INFO.__dataclass_fields__}
    return DeviceInfo(**(fields | changed))  # type: ignore[arg-type]


def test_clocks_that_agree_are_no_news() -> None:
    clock = clock_of(INFO, H743)
    assert (clock.hz, clock.note) == (480_012_345, "")


@pytest.mark.parametrize(
    ("found", "file_hz", "hz", "named"),
    [
        (INFO, 400_000_000, 480_012_345, "400.00 MHz by the board file"),
        (info(clock_hz=400_000_000), 480_000_000, 480_012_345, "400.00 MHz by the core's own word"),
        (
            info(counted_tick_hz=0, clock_hz=64_000_000),
            480_000_000,
            64_000_000,
            "480.00 MHz by the board file",
        ),
        (
            info(tick_unit="us", counted_tick_hz=0, clock_hz=125_000_000),
            133_000_000,
            125_000_000,
            "microseconds",
        ),
        (
            info(clock_hz=0, counted_tick_hz=0, tick_hz=400_000_000),
            480_000_000,
            400_000_000,
            "480.00 MHz by the board file; used is the firmware's tick_hz",
        ),
    ],
)
def test_what_differs_by_more_than_a_hundredth_is_said(
    found: DeviceInfo, file_hz: int, hz: int, named: str
) -> None:
    clock = clock_of(found, msgspec.structs.replace(H743, clock_hz=file_hz))
    assert clock.hz == hz
    assert named in clock.note


def test_a_firmware_that_says_nothing_leaves_the_board_file(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = clock_of(info(clock_hz=0, counted_tick_hz=0, tick_hz=0), H743)
    assert (clock.hz, clock.source, clock.note) == (480_000_000, "the board file", "")


def as_a_real_board_says(more: str) -> Callable[[bytes], bytes]:
    """A twin's words as those of the board: cycles for instructions, and its clocks. Passes whole lines."""
    held = bytearray()

    def change(data: bytes) -> bytes:
        held.extend(data)
        whole, end, rest = bytes(held).rpartition(b"\n")
        held[:] = rest
        return (whole + end).replace(b"tick_unit=instructions]", f"tick_unit=cycles]{more}".encode())

    return change


def test_bench_turns_cycles_into_time_with_the_clock_that_was_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The board file says 64 MHz; this board runs at 128."""
    monkeypatch.chdir(tmp_path)
    model = write_classifier(tmp_path / "shapes.tflite")
    board = boards.load("nano33")
    made = workflow.to_bundle(model, workflow.Conversion(), silent)
    compiled = workflow.to_compiled(made, board, workflow.Build(), silent)
    firmware = workflow.to_firmware(made, compiled, board, workflow.Build(emulate=True), silent)
    said = "\r\nts-info-[clock_hz=64000000]\r\nts-info-[counted_tick_hz=128003000]"
    with faulty_line(firmware, board) as line:
        line.to_host = as_a_real_board_says(said)
        assert (
            main(["bench", str(made.path), "--board", "nano33", "--port", line.path, "--json", "r.json"]) == 0
        )
    result = json.loads(Path("r.json").read_text())["results"][0]
    assert result["setup"]["clock_hz"] == 128_003_000
    assert result["setup"]["clock_source"] == "counted against micros()"
    assert any("64.00 MHz by the board file" in note for note in result["notes"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "at 128 MHz" in shown
    milliseconds = result["latency"]["p90"] * 1e3 / 128_003_000
    assert f"{milliseconds * 1000:.4g} µs" in shown
