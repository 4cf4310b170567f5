# SPDX-License-Identifier: Apache-2.0
"""One layer, two layers."""

from __future__ import annotations

import re

import pytest

from tests.support.places import CHECKOUT
from tinyserve.words import counted

_COUNTED = "operators|layers|samples|outputs|inputs|boards|features|functions|inferences|steps"


@pytest.mark.parametrize(
    ("given", "text"),
    [((1, "layer"), "1 layer"), ((0, "layer"), "0 layers"), ((1200, "class", "classes"), "1,200 classes"),
     ((1, "sample is", "samples are"), "1 sample is"), ((2, "sample is", "samples are"), "2 samples are")],
)  # fmt: skip
def test_counts_and_their_nouns_agree(given: tuple[int, str], text: str) -> None:
    assert counted(*given) == text


def test_lengths_in_reports_are_counted() -> None:
    """ "{len(layers)} layers" would say "1 layers"."""
    plural = re.compile(rf"\{{(?:len|sum)\([^{{}}]*\)(?::,)?\}} (?:{_COUNTED})\b")
    found = [
        f"{path.name}: {line.strip()}"
        for package in ("report", "cli")
        for path in sorted((CHECKOUT / "tinyserve" / package).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if plural.search(line) and "_MOST" not in line
    ]
    assert not found
