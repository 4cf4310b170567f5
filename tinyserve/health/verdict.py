# SPDX-License-Identifier: Apache-2.0
"""Whether the world still looks like the data that a model was made with, and what has moved where not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.health.counters import Counters
from tinyserve.health.distance import Clusters, Distance, distance
from tinyserve.health.profile import BINS, Histogram, Profile

FALSE_ALARM_RATE = 1e-5
"""Of one verdict, shared by its tests; benchmarks/drift.py measures what comes of it."""
LEAST_LOOKS = 30
LEAST_PSI = 0.05
"""Below it a difference is real, perhaps, but no matter."""
_SAME_PSI = 0.05
_SAME_CHANCE = 1e-3
_STUCK_SHARE = 0.99
_CLIPPED_MORE = 0.02
_OTHER_SPREAD = 1.4
_MOVED = 0.02


class Finding(msgspec.Struct, frozen=True):
    """A histogram that moved. ``what``: "input 0", "input 0 channel 2", "confidence", "classes"."""

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


def judge(reference: Profile, seen: Counters, labels: Sequence[str] = ()) -> Verdict:
    """Compares what a device counted with the reference profile."""
    compared = list(_compared(reference, seen))
    distances = {what: round(apart.psi, 4) for what, apart in compared}
    if seen.looked_at < LEAST_LOOKS:
        return Verdict("too few", [], distances, seen.looked_at)
    limit = FALSE_ALARM_RATE / max(1, len(compared))
    moved = {what: apart for what, apart in compared if apart.p_value < limit and apart.psi >= LEAST_PSI}
    swapped = _swapped(reference, seen, [what for what in moved if what.startswith("input")])
    findings = [
        Finding(
            what,
            swapped.get(what) or _words(what, reference, seen, labels),
            round(apart.psi, 4),
            round(apart.jensen_shannon, 4),
            apart.p_value,
        )
        for what, apart in moved.items()
    ]
    return Verdict("drift" if findings else "ok", findings, distances, seen.looked_at)


def _compared(reference: Profile, seen: Counters) -> Iterator[tuple[str, Distance]]:
    if len(reference.codes) == len(seen.codes):
        for group, (histogram, counts) in enumerate(zip(reference.codes, seen.codes, strict=True)):
            known = clusters(histogram, reference.samples, seen.looked_at)
            yield _name(group, len(seen.codes)), distance(histogram.counts, counts, known)
    if reference.confidence and seen.confidence:
        yield "confidence", distance(reference.confidence, seen.confidence)
    if reference.classes and len(reference.classes) == len(seen.classes):
        yield "classes", distance(reference.classes, seen.classes)


def clusters(histogram: Histogram, samples: int, looks: int) -> Clusters:
    """How codes of one input belong together; where that is not known, as if they were all the same."""
    if histogram.between:
        return Clusters(np.array(histogram.between), samples, looks)
    share = _shares(histogram.counts)
    return Clusters(np.diag(share) - np.outer(share, share), samples, looks)


def _name(group: int, groups: int) -> str:
    return "input 0" if groups == 1 else f"input 0 channel {group}"


def _words(what: str, reference: Profile, seen: Counters, labels: Sequence[str]) -> str:
    if what == "confidence":
        before, after = (_mean(counts) for counts in (reference.confidence, seen.confidence))
        fell = "fell" if after < before else "rose"
        return f"the confidence {fell} from {before / BINS:.2f} to {after / BINS:.2f} of its range" + (
            ": inputs that the model was not trained with, such as a new class?" if after < before else ""
        )
    if what == "classes":
        return _class_words(reference.classes, seen.classes, labels)
    group = next(g for g in range(len(seen.codes)) if _name(g, len(seen.codes)) == what)
    return _input_words(reference, seen, group)


def _class_words(reference: list[int], seen: list[int], labels: Sequence[str]) -> str:
    before, after = _shares(reference), _shares(seen)
    most = int(np.argmax(np.abs(after - before)))
    name = labels[most] if most < len(labels) else f"class {most}"
    return f"{name} is {after[most]:.0%} of the answers, {before[most]:.0%} in the reference"


def _input_words(reference: Profile, seen: Counters, group: int) -> str:
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
    moved = (_mean(after) - _mean(before)) / BINS
    if abs(moved) >= _MOVED:
        return f"has moved {'up' if moved > 0 else 'down'} by {abs(moved):.0%} of its range"
    return "has values of another distribution"


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


def _swapped(reference: Profile, seen: Counters, moved: list[str]) -> dict[str, str]:
    """Channels that look like each other's reference, and not like their own."""
    count = len(seen.codes)
    found = {}
    for a in range(count):
        for b in range(a + 1, count):
            names = _name(a, count), _name(b, count)
            if (
                set(names) <= set(moved)
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
