# SPDX-License-Identifier: Apache-2.0
"""The limits by which a converted model is good, fair or poor beside its float original, and their words.

docs/guide/quality.md shows the same table; a test holds the two together. The worst figure decides. Where the
data set's labels give the task's own metric, that counts in place of the agreement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from tinyserve.bundle import Manifest, OutputAccuracy, Score, TaskScores
from tinyserve.words import counted

Grade = Literal["good", "fair", "poor"]
COLORS: dict[Grade, str] = {"good": "green", "fair": "yellow", "poor": "red"}
_ORDER: tuple[Grade, ...] = ("good", "fair", "poor")


@dataclass(frozen=True)
class Limit:
    """``good`` and ``fair`` are the last values that still are; ``meaning`` is for readers."""

    name: str
    better: Literal["higher", "lower"]
    good: float
    fair: float
    meaning: str

    def grade(self, value: float) -> Grade:
        sign = 1 if self.better == "higher" else -1
        if sign * value >= sign * self.good - 1e-9:
            return "good"
        return "fair" if sign * value >= sign * self.fair - 1e-9 else "poor"


DROP = Limit(
    "drop", "lower", 0.01, 0.02,
    "what the task's metric loses against the float model: points of accuracy, mean IoU, R² or AUC; for "
    "errors (RMSE) the part by which they grow",
)  # fmt: skip
AGREEMENT = Limit(
    "agreement", "higher", 0.98, 0.95, "share of the samples for which both models take the same class"
)
CLASS_SQNR = Limit("SQNR of class scores", "higher", 12.0, 6.0, "signal to quantization noise, in dB")
SQNR = Limit("SQNR", "higher", 20.0, 10.0, "signal to quantization noise of other outputs, in dB")
ERROR = Limit(
    "error", "lower", 0.10, 0.32,
    "RMS error against the float model's output, over that output's standard deviation",
)  # fmt: skip
LIMITS = (DROP, AGREEMENT, ERROR, SQNR, CLASS_SQNR)


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """A model's quality against its float original. ``reasons`` is a sentence per figure, the worst first.

    Figures are of the worst output; None where there is none. ``drop``: see ``DROP``; negative where the
    converted model is better. ``exact``: every output equals the float model's; no SQNR has a value then.
    """

    grade: Grade
    reasons: list[str]
    agreement: float | None = None
    sqnr_db: float | None = None
    error_sigma: float | None = None
    drop: float | None = None
    exact: bool = False


def of_bundle(manifest: Manifest) -> Quality | None:
    """As the conversion measured it on the held-out samples; None where there was no float original."""
    return judge(manifest.accuracy, manifest.scores, manifest.compared or manifest.samples, doubt(manifest))


def doubt(manifest: Manifest) -> str:
    """Why figures say little of real data; empty where nothing speaks against them."""
    if manifest.synthetic:
        return "calibrated with random data: real data decides"
    constant = [one.name for one in manifest.representative if one.minimum == one.maximum]
    if constant and manifest.quantize != "float32":
        return f"calibrated with data in which input '{constant[0]}' never varies: real data decides"
    return ""


def judge(
    outputs: Sequence[OutputAccuracy],
    scores: TaskScores | None,
    samples: int,
    doubt: str = "",
) -> Quality | None:
    """The verdict on outputs compared on ``samples`` samples, and on the task's metric. With a ``doubt`` it
    is fair at best.

    One single sample that differs is never poor: a share of few samples moves in steps.
    """
    main = _main_metric(scores) if scores is not None else None
    found: list[tuple[Grade, str]] = []
    if scores is not None and main is not None:
        found.append(_of_drop(*main, scores.samples))
    if scores is not None and scores.doubt:
        found.append(("poor", scores.doubt))
    for one in outputs:
        found += _of_output(one, samples, main is None, len(outputs) > 1)
    if not found:
        return None
    if doubt:
        found.append(("fair", doubt))
    found.sort(key=lambda item: -_ORDER.index(item[0]))
    return Quality(
        grade=found[0][0],
        reasons=[text for _, text in found],
        agreement=_least(one.top1_agreement for one in outputs),
        sqnr_db=_least(one.sqnr_db for one in outputs),
        error_sigma=max((e for one in outputs if (e := one.error_sigma) is not None), default=None),
        drop=None if main is None else lost(*main),
        exact=bool(outputs) and all(one.max_error == 0 for one in outputs),
    )


def _main_metric(scores: TaskScores) -> tuple[Score, Score] | None:
    """Of the original and of the converted model; None where the original has none."""
    after = next(iter(scores.converted), None)
    before = next((s for s in scores.original if after is not None and s.metric == after.metric), None)
    return None if before is None or after is None else (before, after)


def lost(original: Score, converted: Score) -> float:
    """Points of a share; of an error the part by which it grows."""
    if original.better == "higher":
        return original.value - converted.value
    if original.value <= 0:
        return 0.0 if converted.value <= 0 else 1.0
    return (converted.value - original.value) / original.value


def _of_drop(before: Score, after: Score, samples: int) -> tuple[Grade, str]:
    lost_now = lost(before, after)
    grade = DROP.grade(lost_now)
    if after.metric == "accuracy" and round(lost_now * samples) <= 1:
        grade = _not_poor(grade)
    change = (
        f"{100 * lost_now:+.1f} %" if before.better == "lower" else f"{-100 * lost_now + 0.0:+.1f} points"
    )
    return (
        grade,
        f"{after.metric} {spelled(before)} → {spelled(after)} ({change}) on {counted(samples, 'sample')}",
    )


def _of_output(one: OutputAccuracy, samples: int, no_metric: bool, named: bool) -> list[tuple[Grade, str]]:
    of = f" of '{one.name}'" if named else ""
    found: list[tuple[Grade, str]] = []
    if one.top1_agreement is not None:
        differing = round((1 - one.top1_agreement) * samples)
        grade = AGREEMENT.grade(one.top1_agreement)
        if differing <= 1:
            grade = _not_poor(grade)
        if no_metric:
            text = (
                f"same class as the float model in {100 * one.top1_agreement:.1f} % of "
                f"{counted(samples, 'sample')}{of}"
            )
            found.append((grade, text))
    if one.error_sigma is not None:
        text = f"error{of} {100 * one.error_sigma:.1f} % of the output's standard deviation"
        found.append((ERROR.grade(one.error_sigma), text))
    if one.sqnr_db is not None:
        limit = SQNR if one.top1_agreement is None else CLASS_SQNR
        found.append((limit.grade(one.sqnr_db), f"SQNR{of} {one.sqnr_db:.1f} dB"))
    if not found and one.max_error == 0:
        found.append(("good", f"equal to the float model{of}"))
    return found


def spelled(score: Score) -> str:
    """'97.3 %' of shares, digits of errors."""
    if score.better == "lower":
        return f"{score.value:.4g}"
    return f"{score.value:.3f}" if score.metric in ("R²", "AUC") else f"{100 * score.value:.1f} %"


def _not_poor(grade: Grade) -> Grade:
    return "fair" if grade == "poor" else grade


def _least(values: Iterable[float | None]) -> float | None:
    return min((v for v in values if v is not None), default=None)
