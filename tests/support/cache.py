# SPDX-License-Identifier: Apache-2.0
"""A cache of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import shared
from tinyserve.cache import cache_directory


def use(patch: pytest.MonkeyPatch, directory: Path) -> None:
    """Puts the cache there, but for front ends, which take gigabytes and minutes to install."""
    front_ends = os.environ.get("TINYSERVE_FRONTENDS") or str(cache_directory() / "frontends")
    patch.setenv("TINYSERVE_FRONTENDS", front_ends)
    patch.setenv("TINYSERVE_CACHE", str(directory))


@contextmanager
def own(factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """Until the end of the block builds share what they compile with all of this run's, but not with the
    user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        use(patch, shared.directory(factory) / "cache")
        yield patch
