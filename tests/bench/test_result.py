"""The JSON form: what is written is read back, and other files are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.results import make_result
from tinyserve.bench import result as results
from tinyserve.bench.result import BenchReport, FailedCell
from tinyserve.errors import DataError, FileSystemError


def test_a_report_survives_writing_and_reading(tmp_path: Path) -> None:
    report = BenchReport(results=[make_result()], failures=[FailedCell("vww", "pico", "too large", 7)])
    path = tmp_path / "bench.json"
    path.write_bytes(results.encode(report))
    assert results.load(path) == report


def test_equal_reports_are_equal_bytes() -> None:
    first, second = (results.encode(BenchReport(results=[make_result()])) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a bench result"),
        (b"{}", "is not a bench result"),
        (b"[1, 2]", "is not a bench result"),
        (b'{"schema": 1, "results": [{"model": 3}]}', "is not a bench result"),
        (b'{"schema": 99, "results": []}', "schema 99"),
        (b"\x00\xff", "is not a bench result"),
    ],
)
def test_another_file_is_a_data_error_that_names_it(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        results.load(path)
    assert said in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_file_is_a_file_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match=r"none\.json"):
        results.load(tmp_path / "none.json")
