# SPDX-License-Identifier: Apache-2.0
"""Where no time can be estimated, that is said."""

from __future__ import annotations

import pytest

from tinyserve import boards
from tinyserve.bench.counts import estimates


@pytest.mark.parametrize("name", ["cortex-m55", "cortex-m85", "rv32imc", "hazard3"])
def test_a_core_without_a_cycle_model_is_named(name: str) -> None:
    (note,) = estimates.why_none("instructions", boards.load(name))
    assert f"no cycle model of {name}," in note


def test_an_emulator_without_counts_per_block_is_named() -> None:
    (note,) = estimates.why_none("instructions", boards.load("cortex-m4"))
    assert "Unicorn" in note


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_what_was_timed_needs_no_estimate(unit: str) -> None:
    assert estimates.why_none(unit, boards.load("host")) == []
