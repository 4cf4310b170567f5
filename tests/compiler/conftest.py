# SPDX-License-Identifier: Apache-2.0
"""Of each differential test the first case of its parameters is fast; the others are slow."""

from __future__ import annotations

from pathlib import Path

import pytest

DIFFERENTIAL = (Path(__file__).parent / "ops", Path(__file__).parent / "variants")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A type more is seconds more: `make test-fast` runs every test once, `make test` with every type."""
    seen: set[str] = set()
    for item in items:
        if not any(item.path.is_relative_to(folder) for folder in DIFFERENTIAL):
            continue
        function = item.nodeid.partition("[")[0]
        if function in seen:
            item.add_marker(pytest.mark.slow)
        seen.add(function)
