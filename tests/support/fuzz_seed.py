# SPDX-License-Identifier: Apache-2.0
"""The seed of a fuzzing run, which every random case adds to its own: none in ordinary tests."""

from __future__ import annotations

import os

VARIABLE = "TINYSERVE_FUZZ_SEED"


def fuzz_seed() -> tuple[int, ...]:
    """Part of the seed of each case; () in ordinary tests, whose cases are always the same."""
    value = os.environ.get(VARIABLE)
    return (int(value),) if value else ()
