# SPDX-License-Identifier: Apache-2.0
"""Comparison of reports: verdicts, tolerances, cells that only one side has."""

from __future__ import annotations

import msgspec
import pytest

from tests.bench.results import make_result
from tinyserve.bench.judge.compare import Change, Comparison, compare, parse_tolerances
from tinyserve.bench.result import BenchReport, BenchResult
from tinyserve.bench.scenarios.statistics import summarize
from tinyserve.errors import UsageError


def report(*results: BenchResult) -> BenchReport:
    return BenchReport(results=list(results))


def change(comparison: Comparison, name: str) -> Change:
    return next(change for change in comparison.changes if change.metric.name == name)


def test_equal_results_have_no_regressions_and_no_differences() -> None:
    comparison = compare(report(make_result()), report(make_result()))
    assert {change.verdict for change in comparison.changes} == {"equal"}
    assert comparison.regressions == []
    assert comparison.differences == []


def test_one_instruction_more_is_a_regression_and_one_less_is_better() -> None:
    more = compare(report(make_result(instructions=1000)), report(make_result(instructions=1001)))
    less = compare(report(make_result(instructions=1000)), report(make_result(instructions=999)))
    assert change(more, "instructions").regressed
    assert change(less, "instructions").verdict == "better"
    assert less.regressions == []


def test_a_tolerance_forgives_up_to_its_percentage() -> None:
    before, after = report(make_result(instructions=1000)), report(make_result(instructions=1010))
    assert change(compare(before, after, {"instructions": 1.0}), "instructions").verdict == "within tolerance"
    assert change(compare(before, after, {"instructions": 0.99}), "instructions").regressed


def test_time_measured_on_a_board_has_a_tolerance_of_its_own() -> None:
    def timed(us: float) -> BenchReport:
        return report(msgspec.structs.replace(make_result(), latency=summarize([us], "us"), latencies=[us]))

    assert change(compare(timed(100), timed(105)), "latency_us").verdict == "within tolerance"
    assert change(compare(timed(100), timed(120)), "latency_us").regressed


def test_a_figure_that_went_missing_is_a_regression() -> None:
    without = msgspec.structs.replace(make_result(), accuracy=None)
    assert change(compare(report(make_result()), report(without)), "accuracy").regressed
    assert not change(compare(report(without), report(make_result())), "accuracy").regressed


def test_cells_are_matched_by_model_and_board_not_by_order() -> None:
    before = report(make_result("nano33"), make_result("pico", 5000))
    after = report(make_result("pico", 5000), make_result("teensy41"))
    comparison = compare(before, after)
    assert {change.cell for change in comparison.changes} == {"kws on pico"}
    assert comparison.only_before == ["kws on nano33"]
    assert comparison.only_after == ["kws on teensy41"]


def test_two_single_results_are_compared_whatever_their_boards_and_the_difference_is_said() -> None:
    comparison = compare(report(make_result("nano33")), report(make_result("pico")), side_by_side=True)
    assert comparison.changes
    assert "kws on pico: board: nano33 → pico" in comparison.differences


def test_tolerances_are_read_from_the_command_line() -> None:
    assert parse_tolerances(["instructions=2.5", "flash_bytes=1%"]) == {"instructions": 2.5, "flash_bytes": 1}


@pytest.mark.parametrize(
    "text", ["speed=1", "instructions", "instructions=", "instructions=-1", "instructions=nan"]
)
def test_a_bad_tolerance_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=text):
        parse_tolerances([text])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], [make_result()], "nothing was compared"),
        ([make_result("nano33")], [make_result("pico")], "nothing was compared"),
        ([make_result("nano33"), make_result("pico")], [make_result("pico")], "gone: kws on nano33"),
        ([make_result(), make_result()], [make_result()], "several results of one cell: kws on nano33"),
        ([make_result()], [make_result(), make_result(instructions=9)], "several results of one cell"),
    ],
)
def test_a_gate_is_told_what_was_not_compared(
    before: list[BenchResult], after: list[BenchResult], said: str
) -> None:
    gaps = compare(report(*before), report(*after)).gaps
    assert any(said in gap for gap in gaps)


def test_a_gate_has_nothing_to_say_where_all_was_compared() -> None:
    assert compare(report(make_result()), report(make_result(), make_result("pico"))).gaps == []


def test_another_board_file_or_data_set_of_the_same_name_is_said() -> None:
    result = make_result()
    assert result.accuracy is not None
    other = msgspec.structs.replace(
        result,
        setup=msgspec.structs.replace(result.setup, board_sha256="11" * 32),
        accuracy=msgspec.structs.replace(result.accuracy, dataset_sha256="22" * 32),
    )
    differences = compare(report(result), report(other)).differences
    assert any("board file: efefef" in line for line in differences)
    assert any("data set: test.npz (232323" in line for line in differences)


def test_a_twin_at_a_port_is_not_compared_with_the_board_at_one() -> None:
    def at_port(emulated: bool) -> BenchResult:
        made = make_result()
        setup = msgspec.structs.replace(made.setup, device="serial", emulated=emulated)
        return msgspec.structs.replace(made, setup=setup)

    found = compare(report(at_port(False)), report(at_port(True)))
    assert not found.changes and found.only_before and found.only_after
