# SPDX-License-Identifier: Apache-2.0
"""What the workers of a test run make once for all of them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyserve import platforms

_PATIENCE_S = 900.0
"""Longer than anything takes to make, on a slow machine too: else all that wait fail with the maker."""


def directory(factory: pytest.TempPathFactory) -> Path:
    """One of this run, the same for each of xdist's workers."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The directory ``name`` of this run, which the first that asks for it fills with ``make``."""
    place = directory(factory) / name
    with place.with_suffix(".lock").open("ab") as file:
        deadline_s = time.monotonic() + _PATIENCE_S
        while not platforms.here().try_lock(file, shared=False):
            assert time.monotonic() < deadline_s, f"{name} is still being made"
            time.sleep(0.05)
        if not place.exists():
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)  # what a maker that failed has left
            part.mkdir()
            make(part)
            part.rename(place)
    return place
