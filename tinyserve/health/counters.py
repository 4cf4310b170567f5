# SPDX-License-Identifier: Apache-2.0
"""The counters of a device, as it sends them, and their sum over devices and readings."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import reduce

import msgspec

from tinyserve.errors import DeviceError, UsageError
from tinyserve.health.profile import BINS, MOST_CLASSES, MOST_GROUPS

FORMAT = 2
_LAYOUT = struct.Struct("<4B 2I 4H I 2I 2I 2I 4H 16H 16H 64H 4H")


class Counters(msgspec.Struct, frozen=True):
    """Sums since the last clear. ``looked_at``: inferences whose input and scores were counted. ``drop``: how
    far the confidence fell below its mean (Page-Hinkley), in bins, the most it has been. ``codes`` and
    ``fine`` by channel: the latter are codes whose place in their bin was beyond a threshold of up to two
    bins, so half of the mean place; empty where a reading is of older firmware. ``model_sha256``: what they
    are of."""

    model_sha256: str
    inferences: int
    looked_at: int
    faults: int
    resets: int
    last_reason: int
    unsure: int
    ticks_min: int
    ticks_max: int
    ticks_sum: int
    clipped_low: int
    clipped_high: int
    drop: float
    full: bool
    confidence: list[int]
    classes: list[int]
    codes: list[list[int]]
    fine: list[int] = []


def read(data: bytes, model_sha256: str) -> Counters:
    """Reads what a device sent. Raises DeviceError for another format."""
    if len(data) != _LAYOUT.size or data[0] != FORMAT:
        raise DeviceError(
            f"counters of {len(data)} bytes in format {data[0] if data else 'none'} can't be read",
            "this firmware was built with --no-health, or by another version: build it again",
        )
    values = _LAYOUT.unpack(data)
    _, groups, classes, full, inferences, looked_at, faults, resets, reason, unsure, _ = values[:11]
    ticks_min, ticks_max, low, high, clipped_low, clipped_high, _, peak = values[11:19]
    confidence, chosen, codes, fine = values[21:37], values[37:53], values[53:117], values[117:]
    return Counters(
        model_sha256=model_sha256,
        inferences=inferences,
        looked_at=looked_at,
        faults=faults,
        resets=resets,
        last_reason=reason,
        unsure=unsure,
        ticks_min=ticks_min if inferences else 0,
        ticks_max=ticks_max,
        ticks_sum=low | high << 32,
        clipped_low=clipped_low,
        clipped_high=clipped_high,
        drop=peak / 256,
        full=bool(full),
        confidence=list(confidence) if classes else [],
        classes=list(chosen[: min(classes, MOST_CLASSES)]),
        codes=[list(codes[BINS * group : BINS * (group + 1)]) for group in range(min(groups, MOST_GROUPS))],
        fine=list(fine[: min(groups, MOST_GROUPS)]),
    )


def merged(readings: Iterable[Counters]) -> Counters:
    """The sum of readings of one model. Raises UsageError for those of several models."""
    return reduce(_sum, readings)


def _sum(a: Counters, b: Counters) -> Counters:
    if a.model_sha256 != b.model_sha256:
        raise UsageError(
            f"counters of two models: {a.model_sha256[:16]} and {b.model_sha256[:16]}",
            "merge readings of one model at a time",
        )
    ran = [side for side in (a, b) if side.inferences]
    return Counters(
        model_sha256=a.model_sha256,
        inferences=a.inferences + b.inferences,
        looked_at=a.looked_at + b.looked_at,
        faults=a.faults + b.faults,
        resets=a.resets + b.resets,
        last_reason=b.last_reason or a.last_reason,
        unsure=a.unsure + b.unsure,
        ticks_min=min((side.ticks_min for side in ran), default=0),
        ticks_max=max(a.ticks_max, b.ticks_max),
        ticks_sum=a.ticks_sum + b.ticks_sum,
        clipped_low=a.clipped_low + b.clipped_low,
        clipped_high=a.clipped_high + b.clipped_high,
        drop=max(a.drop, b.drop),
        full=a.full or b.full,
        confidence=_added(a.confidence, b.confidence),
        classes=_added(a.classes, b.classes),
        codes=[_added(x, y) for x, y in zip(a.codes, b.codes, strict=True)] if a.codes and b.codes
        else a.codes or b.codes,
        fine=_sum_of_fine(a, b),
    )  # fmt: skip


def _sum_of_fine(a: Counters, b: Counters) -> list[int]:
    """Empty where one reading has codes, but not these."""
    if any(side.codes and not side.fine for side in (a, b)):
        return []
    return _added(a.fine, b.fine)


def _added(a: list[int], b: list[int]) -> list[int]:
    if not a or not b:
        return a or b
    return [x + y for x, y in zip(a, b, strict=True)]
