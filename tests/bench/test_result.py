# SPDX-License-Identifier: Apache-2.0
"""The JSON form: what is written is read back, and other files are recognised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.results import make_result
from tests.support.places import CHECKOUT
from tinyserve.bench import result as results
from tinyserve.bench import schema
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


def test_the_published_schema_is_the_codes_own() -> None:
    published = CHECKOUT / "docs" / "bench-schema.json"
    assert published.read_bytes() == schema.encode(), (
        "python -m tinyserve.bench.schema > docs/bench-schema.json"
    )


def test_a_report_is_valid_by_the_published_schema_and_a_changed_one_is_not() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    report = BenchReport(results=[make_result()], failures=[FailedCell("vww", "pico", "too large", 7)])
    document = json.loads(results.encode(report))
    validator = jsonschema.Draft202012Validator(schema.schema())
    validator.validate(document)
    del document["results"][0]["latency"]["p90"]
    assert not validator.is_valid(document)
