# SPDX-License-Identifier: Apache-2.0
"""The page of operators."""

from __future__ import annotations

from tests.support.places import CHECKOUT
from tinyserve.compiler import ops
from tinyserve.report.operators import page

PAGE = CHECKOUT / "docs" / "operators.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "stale: python -m tinyserve.report.operators > docs/operators.md"
    )


def test_each_operator_has_a_row_with_every_column() -> None:
    operators, exceptions = page().split("## What only the interpreter runs")
    rows = [line for line in operators.splitlines() if line.startswith("| ")]
    assert {row.count("|") for row in rows} == {6}
    assert set(ops.registry()) <= {row.split("|")[1].strip() for row in rows}
    assert {row.count("|") for row in exceptions.splitlines() if row.startswith("| ")} == {4}
