# SPDX-License-Identifier: Apache-2.0
"""What data and results must look like before results are published: the share of each class, and the data as
the model was made with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from tinyserve.bundle import Bundle
from tinyserve.errors import UsageError
from tinyserve.health import profile
from tinyserve.health.tally import Tally
from tinyserve.health.verdict import LEAST_LOOKS, judge
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


class DriftGate:
    """Whether the data still looks like what the model was made with: compares input 0 of up to LOOKS samples
    (the same ones in each run), and the classes of all, with the bundle's profile.

    Raises UsageError for a bundle without one, and for fewer samples than a verdict takes.
    """

    LOOKS = 4000

    def __init__(self, made: Bundle, samples: int, output: int) -> None:
        reference = profile.load(made.path)
        if reference is None:
            raise UsageError(
                f"--drift: {made.path} has no reference profile", "convert again with --representative DATA"
            )
        if samples < LEAST_LOOKS:
            raise UsageError(
                f"--drift: {counted(samples, 'sample')}, a verdict takes {LEAST_LOOKS}", "leave it out"
            )
        self._reference = reference
        self._labels = made.manifest.labels
        self._has_classes = output == 0 and bool(reference.classes)
        inputs, outputs = made.manifest.inputs, made.manifest.outputs
        self._tally = Tally(made.manifest.model_sha256, inputs[0], outputs[0])
        self._every = -(-samples // self.LOOKS)

    def look(self, first: int, inputs: npt.NDArray[Any]) -> None:
        """Input 0 (N, ...) of a piece, in the model's type; ``first`` is the number of its first sample."""
        for index in range(-first % self._every, len(inputs), self._every):
            self._tally.look(np.ascontiguousarray(inputs[index]).tobytes(), b"")

    def violations(self, classes: Counter[int]) -> list[str]:
        """What has moved; ``classes``: how often each was the best."""
        seen = self._tally.counters()
        if self._has_classes:
            seen = replace(seen, classes=[classes[place] for place in range(len(self._reference.classes))])
        found = judge(self._reference, seen, self._labels).findings
        return [f"drift: {finding.what}: {finding.words}" for finding in found]
