# SPDX-License-Identifier: Apache-2.0
"""`compare --strict`: a gate that compared nothing, or not all, fails with the documented status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.results import make_result
from tinyserve.bench.result import BenchReport, BenchResult, encode
from tinyserve.cli.main import main


def _write(path: Path, *results: BenchResult) -> str:
    path.write_bytes(encode(BenchReport(results=list(results))))
    return str(path)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], [make_result()], "nothing was compared"),
        ([make_result()], [], "nothing was compared"),
        ([make_result(), make_result("pico")], [make_result()], "results of the baseline are gone"),
        ([make_result(), make_result()], [make_result()], "several results of one cell"),
    ],
)
def test_a_strict_comparison_with_gaps_ends_in_3(
    before: list[BenchResult],
    after: list[BenchResult],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["compare", _write(tmp_path / "a.json", *before), _write(tmp_path / "b.json", *after)]
    assert main([*command, "--strict"]) == 3
    assert said in capsys.readouterr().err


def test_equal_results_pass(tmp_path: Path) -> None:
    command = ["compare", _write(tmp_path / "a.json", make_result())]
    assert main([*command, _write(tmp_path / "b.json", make_result()), "--strict"]) == 0
