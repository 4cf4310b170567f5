# SPDX-License-Identifier: Apache-2.0
"""JUnit XML: what CI systems count."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec

from tests.bench.results import make_result
from tinyserve.bench.judge import budget
from tinyserve.bench.judge.compare import compare
from tinyserve.bench.result import BenchReport, Check, FailedCell
from tinyserve.report import junit


def parse(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)


def test_a_good_result_passes_every_case() -> None:
    root = parse(junit.encode(BenchReport(results=[make_result()]), [], None))
    (suite,) = root
    assert suite.get("failures") == suite.get("errors") == "0"
    assert int(suite.get("tests") or 0) == len(suite.findall("testcase")) > 0


def test_wrong_outputs_broken_budgets_and_regressions_fail(tmp_path: Path) -> None:
    result = msgspec.structs.replace(make_result(), check=Check(20, 18, "tflite-micro", "sample 3: output 0"))
    path = tmp_path / "b.toml"
    path.write_text("[limits]\ninstructions = 1\n", encoding="utf-8")
    report = BenchReport(results=[result])
    changes = compare(BenchReport(results=[make_result(instructions=1000)]), report)
    (suite,) = parse(junit.encode(report, budget.load(path).check(result), changes))
    messages = [failure.get("message") or "" for failure in suite.findall("testcase/failure")]
    assert suite.get("failures") == "3"
    assert any("2 of 20 samples differ" in message for message in messages)
    assert any("budget 1" in message for message in messages)
    assert any("1,000 → 2,700,000" in message for message in messages)


def test_a_failed_cell_is_an_error_with_its_text() -> None:
    report = BenchReport(results=[], failures=[FailedCell("vww", "pico", "RAM is over\n  try: <less>", 7)])
    (suite,) = parse(junit.encode(report, [], None))
    assert suite.get("errors") == "1"
    assert suite.findtext("testcase/error") == "RAM is over\n  try: <less>"


def test_cells_that_differ_in_options_alone_have_suites_and_failures_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text("[limits]\ninstructions = 1000\n", encoding="utf-8")
    slow, fast = make_result(), make_result(instructions=900)
    fast = msgspec.structs.replace(fast, setup=msgspec.structs.replace(fast.setup, optimize="speed"))
    limits = budget.load(path)
    violations = [*limits.check(slow), *limits.check(fast)]
    suites = parse(junit.encode(BenchReport(results=[slow, fast]), violations, None))
    assert [(suite.get("name"), suite.get("failures")) for suite in suites] == [
        ("kws on nano33", "1"),
        ("kws on nano33 (speed)", "0"),
    ]
