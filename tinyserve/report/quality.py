# SPDX-License-Identifier: Apache-2.0
"""The quality of a converted model in words and colours, the same in every report."""

from __future__ import annotations

from rich.text import Text

from tinyserve.bundle import TaskScores
from tinyserve.quality.limits import COLORS, Quality, spelled
from tinyserve.words import counted

UNKNOWN = "not known: no float original to compare with"
_MARKS = {"good": "✓", "fair": "!", "poor": "✗"}


def line(quality: Quality | None) -> Text:
    """'✓ quality: good (same class as the float model in 99.2 % of 500 samples; SQNR 31.0 dB)'."""
    if quality is None:
        return Text(f"  quality: {UNKNOWN}", style="dim")
    style = COLORS[quality.grade] if quality.grade != "poor" else "bold red"
    reasons = Text(f" ({'; '.join(quality.reasons)})", style="dim" if quality.grade == "good" else style)
    return Text(f"{_MARKS[quality.grade]} quality: {quality.grade}", style=style) + reasons


def word(quality: Quality | None) -> Text:
    """The grade alone, for a column."""
    return Text() if quality is None else Text(quality.grade, style=COLORS[quality.grade])


def sentence(quality: Quality) -> str:
    """'poor: SQNR 5.1 dB'."""
    return f"{quality.grade}: {'; '.join(quality.reasons)}"


def scores(found: TaskScores) -> str:
    """'accuracy 97.3 %, top-5 accuracy 99.9 % on 1,000 samples (float model 97.5 %)'."""
    metrics = ", ".join(f"{score.metric} {spelled(score)}" for score in found.converted)
    before = f" (float model: {spelled(found.original[0])})" if found.original else ""
    doubt = f"; {found.doubt}" if found.doubt else ""
    return f"{metrics} on {counted(found.samples, 'sample')}{before}{doubt}"
