# SPDX-License-Identifier: Apache-2.0
"""The metric of a scenario stands in every report, and a doubtful one says so."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from tests.bench.results import make_result
from tinyserve.bench.result import BenchReport, BenchResult
from tinyserve.bench.scenarios import simulation
from tinyserve.report import junit, markdown
from tinyserve.report.html import bench as html
from tinyserve.report.text import bench as terminal


def with_server(bound_us: float) -> BenchResult:
    found = simulation.run("server", [1000.0], bound_us, 0)
    return msgspec.structs.replace(make_result(), scenario=found)


def shown(report: BenchReport) -> str:
    stream = io.StringIO()
    terminal.show(report, Console(file=stream, width=200, color_system=None))
    return stream.getvalue()


@pytest.mark.parametrize("form", ["matrix", "markdown", "html", "junit"])
def test_every_report_has_the_metric(form: str) -> None:
    report = BenchReport(results=[with_server(5000.0), make_result("pico")])
    value = report.results[0].scenario
    assert value
    text = {
        "matrix": shown,
        "markdown": lambda report: markdown.encode(report, [], None),
        "html": lambda report: html.encode(report, [], None),
        "junit": lambda report: junit.encode(report, [], None).decode(),
    }[form](report)
    assert f"server: {value.value:.3g} queries/s (simulated)" in text


def test_a_bound_that_no_load_keeps_is_not_valid() -> None:
    report = BenchReport(results=[with_server(900.0)])
    assert "not valid" in html.encode(report, [], None)
    assert "not valid" in markdown.encode(report, [], None)
    assert "no load that was tried keeps the bound" in shown(report)


def test_without_scenarios_a_matrix_has_no_column_for_them() -> None:
    assert "scenario" not in shown(BenchReport(results=[make_result(), make_result("pico")]))
