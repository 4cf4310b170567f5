# SPDX-License-Identifier: Apache-2.0
"""Whether the world still looks like the data that a model was made with, and what has moved where not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.health.channel import LEAST_MOVE, LEAST_PSI, Comparison, clusters, compare, compare_together
from tinyserve.health.counters import Counters
from tinyserve.health.distance import distance
from tinyserve.health.profile import BINS, Profile

FALSE_ALARM_RATE = 1e-5
"""Of one verdict, shared by its tests; benchmarks/drift.py measures what comes of it."""
LEAST_LOOKS = 30
ALL_CHANNELS = "input 0"
_SAME_PSI = 0.05
_SAME_CHANCE = 1e-3
_STUCK_SHARE = 0.99
_CLIPPED_MORE = 0.02
_OTHER_SPREAD = 1.4


class Finding(msgspec.Struct, frozen=True):
    """What moved. ``what``: "input 0" (its one histogram, or all of its channels), "input 0 channel 2",
    "confidence", "classes". ``words`` continue a sentence that begins with it."""

    what: str
    words: str
    psi: float
    jensen_shannon: float
    p_value: float


class Verdict(msgspec.Struct, frozen=True):
    """``state``: "ok", "drift", or "too few" inferences to tell. ``distances`` by histogram, drift or not."""

    state: str
    findings: list[Finding]
    distances: dict[str, float]
    looked_at: int
    false_alarm_rate: float = FALSE_ALARM_RATE


@dataclass(frozen=True)
class _Compared:
    """``p_value`` is 1 where the difference does not matter. ``moved``: of an input's mean, as a share of its
    range."""

    psi: float
    jensen_shannon: float
    p_value: float
    moved: float = 0.0


def judge(reference: Profile, seen: Counters, labels: Sequence[str] = ()) -> Verdict:
    """Compares what a device counted with the reference profile."""
    compared = list(_compared(reference, seen))
    distances = {what: round(apart.psi, 4) for what, apart in compared}
    if seen.looked_at < LEAST_LOOKS:
        return Verdict("too few", [], distances, seen.looked_at)
    limit = FALSE_ALARM_RATE / max(1, len(compared))
    moved = {what for what, apart in compared if apart.p_value < limit}
    swapped = _swapped(reference, seen, dict(compared), moved)
    findings = [
        Finding(
            what,
            swapped.get(what) or _words(what, reference, seen, labels, apart.moved),
            round(apart.psi, 4),
            round(apart.jensen_shannon, 4),
            apart.p_value,
        )
        for what, apart in compared
        if what in moved or what in swapped
    ]
    return Verdict("drift" if findings else "ok", findings, distances, seen.looked_at)


def _compared(reference: Profile, seen: Counters) -> Iterator[tuple[str, _Compared]]:
    if len(reference.codes) == len(seen.codes):
        for group in range(len(seen.codes)):
            yield _name(group, len(seen.codes)), _channel(reference, seen, group)
        if reference.together and seen.looked_at:
            counts = np.asarray(seen.codes, np.int64)[None]
            yield ALL_CHANNELS, _first(compare_together(reference, counts, seen.looked_at))
    if reference.confidence and seen.confidence:
        yield "confidence", _scores(reference.confidence, seen.confidence)
    if reference.classes and len(reference.classes) == len(seen.classes):
        yield "classes", _scores(reference.classes, seen.classes)


def _channel(reference: Profile, seen: Counters, group: int) -> _Compared:
    counts = np.asarray(seen.codes[group], np.int64)[None]
    fine = np.asarray(seen.fine[group : group + 1]) if len(seen.fine) == len(seen.codes) else None
    found = compare(reference.codes[group], reference.samples, counts, fine, seen.looked_at)
    return _first(found)


def _first(found: Comparison) -> _Compared:
    """Of one window."""
    apart = found.apart
    return _Compared(
        float(apart.psi[0]), float(apart.jensen_shannon[0]), float(found.p_value[0]), float(found.moved[0])
    )


def _scores(reference: Sequence[int], seen: Sequence[int]) -> _Compared:
    apart = distance(reference, seen)
    return _Compared(apart.psi, apart.jensen_shannon, apart.p_value if apart.psi >= LEAST_PSI else 1.0)


def _name(group: int, groups: int) -> str:
    return ALL_CHANNELS if groups == 1 else f"input 0 channel {group}"


def _words(what: str, reference: Profile, seen: Counters, labels: Sequence[str], moved: float) -> str:
    if what == "confidence":
        before, after = (_mean(counts) for counts in (reference.confidence, seen.confidence))
        fell = "fell" if after < before else "rose"
        return f"{fell} from {before / BINS:.2f} to {after / BINS:.2f} of its range" + (
            ": inputs that the model was not trained with, such as a new class?" if after < before else ""
        )
    if what == "classes":
        return _class_words(reference.classes, seen.classes, labels)
    if what == ALL_CHANNELS and len(seen.codes) > 1:
        return _moved_words(moved)
    group = next(g for g in range(len(seen.codes)) if _name(g, len(seen.codes)) == what)
    return _input_words(reference, seen, group, moved)


def _class_words(reference: list[int], seen: list[int], labels: Sequence[str]) -> str:
    before, after = _shares(reference), _shares(seen)
    most = int(np.argmax(np.abs(after - before)))
    name = labels[most] if most < len(labels) else f"class {most}"
    return f"differ: {name} is {after[most]:.0%} of the answers, {before[most]:.0%} in the reference"


def _input_words(reference: Profile, seen: Counters, group: int, moved: float) -> str:
    before, after = reference.codes[group].counts, seen.codes[group]
    p, q = _shares(before), _shares(after)
    if q.max() >= _STUCK_SHARE and p.max() < q.max() - _CLIPPED_MORE:
        return f"is stuck: {q.max():.0%} of its codes lie in bin {int(q.argmax())} of {BINS}"
    ratio = _spread(after) / max(_spread(before), 1e-6)
    gain = f"has another gain: its values spread {ratio:.1f} times as far"
    saturates = _saturation(reference, seen, q - p)
    if saturates:
        return f"{gain}, and saturates: {saturates}" if ratio > _OTHER_SPREAD else f"saturates: {saturates}"
    if ratio > _OTHER_SPREAD or ratio < 1 / _OTHER_SPREAD:
        return gain
    if abs(moved) >= LEAST_MOVE:
        return _moved_words(moved)
    return "has values of another distribution"


def _moved_words(moved: float) -> str:
    return f"has moved {'up' if moved > 0 else 'down'} by {abs(moved):.0%} of its range"


def _saturation(reference: Profile, seen: Counters, more: npt.NDArray[np.float64]) -> str:
    """The ends of the range at which more codes lie; ``more``: shares of the histogram's bins."""
    total = max(sum(map(sum, seen.codes)), 1)
    ends = (
        ("least", seen.clipped_low / total, reference.clipped[0], more[0]),
        ("greatest", seen.clipped_high / total, reference.clipped[1], more[-1]),
    )
    return " and ".join(
        f"{share:.0%} of its codes are the {name} value, {before:.0%} in the reference"
        for name, share, before, in_bin in ends
        if share > before + _CLIPPED_MORE / 2 and in_bin > _CLIPPED_MORE
    )


def _swapped(
    reference: Profile, seen: Counters, compared: Mapping[str, _Compared], moved: Collection[str]
) -> dict[str, str]:
    """Channels that look like each other's reference, and not like their own: one that has moved for sure,
    and one that most likely has."""
    count = len(seen.codes)
    found = {}
    for a in range(count):
        for b in range(a + 1, count):
            names = _name(a, count), _name(b, count)
            if (
                any(name in moved for name in names)
                and all(compared[name].p_value < _SAME_CHANCE for name in names)
                and _looks_like(reference, seen, a, b)
                and _looks_like(reference, seen, b, a)
            ):
                found[names[0]] = f"is swapped with channel {b}"
                found[names[1]] = f"is swapped with channel {a}"
    return found


def _looks_like(reference: Profile, seen: Counters, channel: int, other: int) -> bool:
    """A channel as another's reference: no difference that matters, or none that chance would not make."""
    known = reference.codes[other]
    apart = distance(known.counts, seen.codes[channel], clusters(known, reference.samples, seen.looked_at))
    return apart.psi < _SAME_PSI or apart.p_value > _SAME_CHANCE


def _shares(counts: Sequence[int]) -> npt.NDArray[np.float64]:
    values = np.asarray(counts, np.float64)
    shares: npt.NDArray[np.float64] = values / max(values.sum(), 1.0)
    return shares


def _mean(counts: Sequence[int]) -> float:
    """In bins, of their middles."""
    return float(np.sum(_shares(counts) * (np.arange(BINS) + 0.5)))


def _spread(counts: Sequence[int]) -> float:
    """The standard deviation, in bins."""
    mean = _mean(counts)
    return float(np.sqrt(np.sum(_shares(counts) * (np.arange(BINS) + 0.5 - mean) ** 2)))
