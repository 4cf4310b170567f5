# SPDX-License-Identifier: Apache-2.0
"""A bound on the memory that a model from outside can take: a few nodes can ask for terabytes."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

_MOST_BYTES = 4 << 30


@contextlib.contextmanager
def memory(most: int = _MOST_BYTES) -> Iterator[None]:
    """Allocations fail beyond ``most`` bytes more than this process has now. Where the system has no such
    limit (Windows, macOS), nothing is done."""
    pages = Path("/proc/self/statm")
    if importlib.util.find_spec("resource") is None or not pages.exists():
        yield
        return
    resource = importlib.import_module("resource")
    now = int(pages.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    ceilings = [limit for limit in (*before, now + most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(ceilings), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
