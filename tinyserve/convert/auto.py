"""``--quantize auto --min-accuracy``: the cheapest variant that is good enough."""

from __future__ import annotations

from collections.abc import Iterable

from tinyserve.convert.tflite import Inspected
from tinyserve.convert.variants import Outcome, Score
from tinyserve.errors import DataError


def choose(outcomes: Iterable[Outcome], wanted: float, original: Score) -> tuple[Inspected, list[str]]:
    """The first outcome whose score holds, and a line on each that was tried, for the manifest.

    ``wanted`` is relative to the original: of its accuracy where there are labels, else of its answers. The
    outcomes come from the cheapest on. Raises DataError where none holds.
    """
    lines = []
    for outcome in outcomes:
        lines.append(describe(outcome))
        if outcome.model is None or outcome.score is None:
            continue
        if _relative(outcome.score, original) >= wanted:
            return outcome.model, [*lines, f"auto: took {outcome.variant.name} (wanted {wanted:g})"]
    tried = "\n  ".join(lines)
    raise DataError(
        f"no variant reaches {wanted:g} of the original:\n  {tried}",
        "lower --min-accuracy, or give representative data that is more like the samples it is checked with",
    )


def describe(outcome: Outcome) -> str:
    """What a variant gives and costs, in a line."""
    if outcome.model is None or outcome.score is None:
        return f"{outcome.variant.name}: {outcome.failed}"
    sqnr = "" if outcome.sqnr_db is None else f", {outcome.sqnr_db:.1f} dB"
    counted = "" if outcome.instructions is None else f", {outcome.instructions:,} instructions"
    return (
        f"{outcome.variant.name}: {outcome.score.kind} {outcome.score.value:.4f}{sqnr}; "
        f"{outcome.constant_bytes:,} B of constants, arena {outcome.arena_bytes:,} B, "
        f"{outcome.macs:,} MACs{counted}"
    )


def _relative(score: Score, original: Score) -> float:
    if score.kind == "accuracy":
        return score.value / original.value if original.value > 0 else 0.0
    return score.value
