# SPDX-License-Identifier: Apache-2.0
"""The terminal report: the figures that a person looks for are there, in the right place."""

from __future__ import annotations

import io

import msgspec
from rich.console import Console

from tests.bench.results import make_result
from tinyserve.bench.result import BenchReport, Check, FailedCell
from tinyserve.report.text import bench as terminal


def shown(report: BenchReport) -> str:
    stream = io.StringIO()
    terminal.show(report, Console(file=stream, width=140, color_system=None))
    return stream.getvalue()


def line_with(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


def test_counts_are_under_measurements_and_milliseconds_under_estimates() -> None:
    text = shown(BenchReport(results=[make_result()]))
    assert "2,700,000" in line_with(text, "instructions ")
    assert "ms" not in line_with(text, "instructions ")
    assert text.index("estimates (not measured)") < text.index("52.1–58.9 ms")


def test_memory_is_shown_against_the_board() -> None:
    text = shown(BenchReport(results=[make_result()]))
    assert "61,440" in line_with(text, "flash")
    assert "1,048,576" in line_with(text, "flash")
    assert "9,200" in line_with(text, "arena")


def test_wrong_outputs_are_said_with_their_place() -> None:
    wrong = msgspec.structs.replace(make_result(), check=Check(20, 19, "tflite-micro", "sample 7: output 0"))
    assert "1 of 20 samples differ: sample 7: output 0" in shown(BenchReport(results=[wrong]))


def test_a_matrix_has_a_row_per_cell_and_says_why_one_failed() -> None:
    failure = FailedCell("vww", "bluepill", "RAM is 40,000 bytes over", 7)
    text = shown(BenchReport(results=[make_result(), make_result("pico")], failures=[failure]))
    assert "nano33" in text
    assert "pico" in text
    assert "vww on bluepill failed: RAM is 40,000 bytes over" in text
