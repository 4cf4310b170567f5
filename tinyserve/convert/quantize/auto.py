# SPDX-License-Identifier: Apache-2.0
"""``--quantize auto --min-accuracy``: the cheapest variant that is good enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinyserve.bundle import Tried
from tinyserve.convert.quantize.schemes import AGREEMENT, FIT, Outcome, Variant, VariantScore
from tinyserve.errors import DataError


def choose(
    variants: Sequence[Variant],
    make: Callable[[Variant, str], Outcome],
    wanted: float,
    original: VariantScore,
) -> tuple[Outcome, list[Outcome]]:
    """The first variant whose score holds, from the cheapest on, and all that were made.

    ``wanted`` is relative to the original: of the task's metric where there are labels, else of its answers.
    Dearer schemes are made all the same, so that their costs can be compared; of the scheme that was taken
    no other variant is, as it would cost the same. Raises DataError where none holds.
    """
    taken: Outcome | None = None
    outcomes: list[Outcome] = []
    for place, variant in enumerate(variants):
        if taken is not None and variant.scheme == taken.variant.scheme:
            continue
        outcome = make(variant, f"{place + 1} of {len(variants)}")
        outcomes.append(outcome)
        if taken is None and _relative(outcome.tried, original) >= wanted:
            taken = outcome
    if taken is None:
        score = f"{original.kind} {original.value:.4f}"
        listed = "\n  ".join(describe(outcome.tried) for outcome in outcomes)
        raise DataError(
            f"no variant reaches {wanted:g} of the original ({score}):\n  {listed}",
            "lower --min-accuracy, or give representative data that is more like what it is checked with",
        )
    return taken, outcomes


def describe(tried: Tried) -> str:
    """What a variant gives and costs, in a line."""
    if tried.score is None:
        return f"{tried.name}: {tried.failed}"
    sqnr = "" if tried.sqnr_db is None else f", {tried.sqnr_db:.1f} dB"
    return f"{tried.name}: {tried.measure} {tried.score:.4f}{sqnr}; {_costs(tried)}"


def _costs(tried: Tried) -> str:
    cost = tried.cost
    if cost is None:
        memory = f"{tried.constant_bytes:,} B of constants, arena {tried.arena_bytes:,} B"
        return f"{memory}, {tried.macs:,} MACs"
    memory = f"{cost.flash_bytes:,} B of flash, arena {cost.arena_bytes:,} B"
    return f"{memory}, {cost.instructions:,} instructions on {cost.board}"


def _relative(tried: Tried, original: VariantScore) -> float:
    """The share of the original's score; below any that is wanted where there is none."""
    if tried.score is None:
        return -1.0
    if tried.measure in (AGREEMENT, FIT):
        return tried.score
    if tried.measure == "R²":  # it may be negative, and its zero is the mean of the targets
        return 1.0 - (original.value - tried.score)
    return tried.score / original.value if original.value > 0 else 0.0
