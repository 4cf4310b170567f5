# SPDX-License-Identifier: Apache-2.0
"""What results must look like before they are published: the share of each class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.errors import UsageError
from tinyserve.words import counted

_SHARE = r"(\d+(?:\.\d+)?)\s*%"
_EXPECT = re.compile(rf"(.+)={_SHARE}\.\.{_SHARE}")


@dataclass(frozen=True)
class Expect:
    """A class (its label, or its index) and its least and largest share, 0..1."""

    name: str
    least: float
    most: float


def parse(text: str) -> Expect:
    """From "yes=5%..20%". Raises UsageError."""
    match = _EXPECT.fullmatch(text.strip())
    if match is None or not float(match[2]) <= float(match[3]) <= 100:
        raise UsageError(f"--expect {text}: not CLASS=LOW%..HIGH%", "for example --expect yes=5%..20%")
    return Expect(match[1].strip(), float(match[2]) / 100, float(match[3]) / 100)


def place(expect: Expect, labels: Sequence[str]) -> int:
    """The class's index. Raises UsageError where the model has no such class."""
    if expect.name in labels:
        return labels.index(expect.name)
    if expect.name.isascii() and expect.name.isdecimal():
        return int(expect.name)
    known = f"it has {', '.join(labels)}" if labels else "it has no labels: name its index"
    raise UsageError(f"--expect: the model has no class {expect.name!r}", known)


def violations(expects: Sequence[Expect], labels: Sequence[str], counts: Counter[int]) -> list[str]:
    """What is not as expected."""
    total = sum(counts.values())
    found = []
    for expect in expects:
        share = counts[place(expect, labels)] / total if total else 0.0
        if not expect.least <= share <= expect.most:
            found.append(
                f"{expect.name}: {share:.2%} of {counted(total, 'sample')}, expected {expect.least:.2%} to"
                f" {expect.most:.2%}"
            )
    return found
