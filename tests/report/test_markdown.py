# SPDX-License-Identifier: Apache-2.0
"""Markdown for job summaries: tables stay tables whatever the names are."""

from __future__ import annotations

import re

from tests.bench.results import make_result
from tinyserve.bench.judge.compare import compare
from tinyserve.bench.result import BenchReport, FailedCell
from tinyserve.report import markdown


def columns(line: str) -> int:
    """Cells of a table row; escaped bars are text."""
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def test_all_rows_of_a_table_have_equal_columns_even_with_bars_in_names() -> None:
    report = BenchReport(results=[make_result(name="a|b\nc"), make_result("pico")])
    text = markdown.encode(report, [], compare(report, report))
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({columns(line) for line in table.splitlines()}) == 1


def test_html_in_names_is_text() -> None:
    assert "<img" not in markdown.encode(BenchReport(results=[make_result(name="<img src=x>")]), [], None)


def test_estimates_and_counts_have_columns_of_their_own() -> None:
    lines = markdown.encode(BenchReport(results=[make_result()]), [], None).splitlines()
    header, _, row = (line.strip("|").split("|") for line in lines if line.startswith("|"))
    cells = {name.strip(): value.strip() for name, value in zip(header, row, strict=True)}
    assert cells["instructions p90"] == "2,700,000"
    assert cells["estimate"] == "52.1–58.9 ms"
    assert cells["time p90"] == ""


def test_a_failed_cell_cannot_end_its_code_block() -> None:
    failures = [FailedCell("vww", "pico", "```\n# heading", 1)]
    text = markdown.encode(BenchReport(results=[], failures=failures), [], None)
    assert text.count("```") == 2
