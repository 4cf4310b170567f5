# SPDX-License-Identifier: Apache-2.0
"""What is fast: of tests whose parameters cost seconds each, the first case; the others are slow."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# A type, a board or a compiler more is seconds more: `make test-fast` runs each of these tests once, `make
# test` with all of its parameters.
COSTLY = tuple(
    TESTS / place
    for place in (
        "bench/test_determinism.py",
        "compiler/ops",
        "compiler/variants",
        "convert/frameworks/test_sklearn.py",
        "convert/quantize",
        "convert/test_pipeline.py",
        "firmware/platformio/test_platform.py",
        "firmware/test_arduino.py",
        "firmware/test_build.py",
        "sweep",
    )
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: set[str] = set()
    for item in items:
        if not any(item.path.is_relative_to(place) for place in COSTLY):
            continue
        function = item.nodeid.partition("[")[0]
        if function in seen:
            item.add_marker(pytest.mark.slow)
        seen.add(function)
