# SPDX-License-Identifier: Apache-2.0
"""The counts that README and docs/performance.md show are those of the recorded baseline."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.places import CHECKOUT

NAMES = {
    "ad01": "ad01_int8",
    "kws": "kws_ref_model",
    "resnet": "pretrainedResnet_quant",
    "vww": "vww_96_int8",
}
CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m55", "rv32imc")


def baseline() -> dict[tuple[str, str, str], dict[str, int]]:
    rows = json.loads((CHECKOUT / "benchmarks" / "baseline.json").read_text())
    return {(row["model"], row["core"], row["optimize"]): row for row in rows}


def rows(page: str, name: str) -> list[list[str]]:
    """The cells of the table rows that begin with a name."""
    text = (CHECKOUT / page).read_text()
    found = re.findall(rf"^\| {name} \|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in found]


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_shows_the_baseline(name: str) -> None:
    counts, model = baseline(), NAMES[name]
    shown = rows("README.md", name)[0]
    for cell, core in zip(shown, ("cortex-m4", "cortex-m0", "cortex-m55"), strict=False):
        assert cell.split()[0] == f"{counts[model, core, 'balanced']['instructions']:,}"
    assert shown[3].split()[0] == f"{counts[model, 'cortex-m4', 'balanced']['arena_bytes']:,}"


@pytest.mark.parametrize("model", NAMES.values())
def test_the_page_on_performance_shows_the_baseline(model: str) -> None:
    counts = baseline()
    by_core, beside_tflm = rows("docs/performance.md", model)[:2]
    assert by_core[1:] == [f"{counts[model, core, 'balanced']['instructions']:,}" for core in CORES]
    mine = counts[model, "cortex-m4", "balanced"]
    assert [beside_tflm[i] for i in (0, 2, 4, 6)] == [
        f"{mine[figure]:,}" for figure in ("instructions", "arena_bytes", "code_bytes", "stack_bytes")
    ]


@pytest.mark.parametrize("model", [model for model in NAMES.values() if model != "ad01_int8"])
def test_the_page_shows_what_each_preference_takes(model: str) -> None:
    counts = baseline()
    size, ram, speed = (counts[model, "cortex-m4", name] for name in ("size", "ram", "speed"))
    assert rows("docs/performance.md", model)[2] == [
        f"{figure:,}"
        for figure in (
            *(size["code_bytes"], size["instructions"]),
            *(ram["arena_bytes"], ram["instructions"]),
            *(speed["instructions"], speed["flash_bytes"]),
        )
    ]


def test_the_page_says_how_cortex_m33_differs() -> None:
    counts = baseline()
    fewer = {
        name: counts[model, "cortex-m4", "balanced"]["instructions"]
        - counts[model, "cortex-m33", "balanced"]["instructions"]
        for name, model in NAMES.items()
    }
    assert {name: count for name, count in fewer.items() if count} == {"resnet": 102, "vww": 2}
    text = (CHECKOUT / "docs" / "performance.md").read_text()
    assert "On Cortex-M33 the counts are those of the M4; resnet takes 102 fewer there, vww 2." in text
