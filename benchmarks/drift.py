# SPDX-License-Identifier: Apache-2.0
"""How often the verdict on a device's health raises a false alarm, and how surely it finds drift.

False alarms: windows of inferences without drift, each judged against a profile. A population is a pool of
samples; ``own``: the profile is of the whole pool; ``fresh``: of 300 samples (half the pool where it is
smaller), drawn anew for every thousand windows, so that the profile's own chance is in the figure. Codes are
picked as health.c picks them. Distances are those of tinyserve.health, many windows at a time; three of each
thousand and all with an alarm are judged by tinyserve.health.verdict.judge too, which has to say the same.
Clip counters and the Page-Hinkley statistic raise no alarm: they only word one, or are shown.

Detection: per kind of drift and seed, a new profile as in ``fresh`` and a window of 200 inferences; shifts
with the profile of the whole pool, too.

python benchmarks/drift.py [--windows 100000] [--seeds 1000] [--json benchmarks/drift.json]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tinyserve.health.channel import LEAST_PSI, compare, compare_together
from tinyserve.health.counters import Counters
from tinyserve.health.distance import distances
from tinyserve.health.level import PLACES
from tinyserve.health.profile import BINS, CODES, MOST_GROUPS, Profile, bins_of, profile_of
from tinyserve.health.verdict import ALL_CHANNELS, FALSE_ALARM_RATE, judge

COUNTS = (200, 500, 2000)
REFERENCE = 300
WINDOWS_PER_REFERENCE = 1000
CHECKED = 3
DETECTED_IN = 200
WORKERS = 2
SHIFT = 13
"""Codes: five percent of the range."""
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """A population: samples of input 0 and output 0, sample axis first, int8."""

    inputs: Array
    outputs: Array

    def profile(self, picked: Array) -> Profile:
        return profile_of(self.inputs[picked], self.outputs[picked])


# ---- populations ----


def accelerometer(rng: np.random.Generator) -> Pool:
    """Three channels, a level each that differs by sample, and noise around it; four classes."""
    middle = np.array([-40.0, 0.0, 50.0]) + rng.normal(0, 8, (4000, 1, 3))
    inputs = np.clip(middle + rng.normal(0, 15, (4000, 64, 3)), -128, 127).astype(np.int8)
    return Pool(inputs, _scores(rng, 4000, 4))


def spectrogram(rng: np.random.Generator) -> Pool:
    """49 frames of 10 bands, whose loudness differs by sample: its codes hang together; twelve classes."""
    loudness = rng.normal(-20, 25, (1500, 1, 1))
    tilt = rng.normal(0, 4, (1500, 1, 1)) * np.arange(-5, 5)
    inputs = loudness + tilt + rng.normal(0, 12, (1500, 49, 10))
    return Pool(np.clip(inputs, -128, 127).astype(np.int8)[..., None], _scores(rng, 1500, 12))


def digits(rng: np.random.Generator) -> Pool:
    """scikit-learn's 8 x 8 images, and a model's scores of those that it was not fitted to."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Pool(_quantized(x / 16), _held_out_scores(x / 16, y))


def iris(rng: np.random.Generator) -> Pool:
    """scikit-learn's four measures of a flower, a histogram each; three classes."""
    from sklearn.datasets import load_iris

    return _table(*load_iris(return_X_y=True))


def cancer(rng: np.random.Generator) -> Pool:
    """scikit-learn's thirty measures of a biopsy in one histogram; two classes."""
    from sklearn.datasets import load_breast_cancer

    return _table(*load_breast_cancer(return_X_y=True))


POPULATIONS: dict[str, Callable[[np.random.Generator], Pool]] = {
    "accelerometer": accelerometer,
    "spectrogram": spectrogram,
    "digits": digits,
    "iris": iris,
    "cancer": cancer,
}


def _table(x: Floats, y: Array) -> Pool:
    unit = (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    return Pool(_quantized(unit), _held_out_scores(unit, y))


def _quantized(unit: Floats) -> Array:
    return np.clip(np.round(unit * 255) - 128, -128, 127).astype(np.int8)


def _held_out_scores(x: Floats, y: Array) -> Array:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    model = LogisticRegression(max_iter=2000)
    return _quantized(cross_val_predict(model, x, y, cv=5, method="predict_proba"))


def _scores(rng: np.random.Generator, count: int, classes: int) -> Array:
    values = np.full((count, classes), -120, np.int8)
    chosen = rng.integers(0, classes, count)
    values[np.arange(count), chosen] = np.clip(rng.normal(90, 25, count), -60, 127)
    return values


# ---- what a device counts ----


@dataclass(frozen=True)
class Counting:
    """``table``: (phases * samples, columns), what an inference of a sample adds when the first code is
    picked at a phase: codes by channel and bin, bins of confidence, classes, codes at either end, and by
    channel how many fine counts are expected and their variance: thresholds are taken as random, as if no
    code met them in turn."""

    table: Array
    phases: Array
    samples: int
    channels: int

    def windows(self, rng: np.random.Generator, count: int, inferences: int) -> Array:
        """Sums (count, columns) of samples drawn with replacement."""
        rows = rng.integers(0, self.samples, (count, inferences)) + self.samples * self.phases[:inferences]
        ends = np.arange(0, count * inferences + 1, inferences)
        ones = np.ones(count * inferences, np.float32)
        picked = sparse.csr_matrix((ones, rows.ravel(), ends), shape=(count, len(self.table)))
        sums = np.asarray(picked @ self.table)
        expected, variance = sums[:, -2 * self.channels : -self.channels], sums[:, -self.channels :]
        fine = np.round(expected + np.sqrt(variance) * rng.normal(size=variance.shape))
        sums[:, -2 * self.channels : -self.channels] = np.maximum(fine, 0)
        return sums[:, : -self.channels].astype(np.int64)

    def counters(self, row: Array, inferences: int) -> Counters:
        at = self.channels * BINS
        codes = [[int(count) for count in group] for group in row[:at].reshape(self.channels, BINS)]
        confidence = [int(count) for count in row[at : at + BINS]]
        classes = [int(count) for count in self.classes(row)]
        return Counters(
            "", inferences, inferences, 0, 0, 0, 0, 1, 1, inferences, *self.ends(row), 0.0, False,
            confidence, classes, codes, [int(count) for count in self.fine(row)],
        )  # fmt: skip

    def classes(self, rows: Array) -> Array:
        return rows[..., (self.channels + 1) * BINS : -self.channels - 2]

    def ends(self, row: Array) -> tuple[int, int]:
        return int(row[-self.channels - 2]), int(row[-self.channels - 1])

    def fine(self, rows: Array) -> Array:
        return rows[..., -self.channels :]


def counting(pool: Pool) -> Counting:
    channels = pool.inputs.shape[-1] if pool.inputs.shape[-1] <= MOST_GROUPS else 1
    flat = pool.inputs.reshape(len(pool.inputs), -1)
    starts, places = _places(flat.shape[1], max(COUNTS))
    _, first, phases = np.unique(starts, return_index=True, return_inverse=True)
    best, chosen = pool.outputs.max(axis=1), pool.outputs.argmax(axis=1)
    scores = np.concatenate([np.eye(BINS)[bins_of(best)], np.eye(pool.outputs.shape[1])[chosen]], axis=1)
    table = np.concatenate([_added(flat, places[at], channels, scores) for at in first])
    return Counting(table, phases, len(flat), channels)


def _added(flat: Array, places: Array, channels: int, scores: Array) -> Array:
    """What an inference of each sample adds, whose codes are picked at ``places``."""
    codes = np.zeros((len(flat), channels * BINS))
    fine = np.zeros((2, len(flat), channels))
    for place in places:
        codes[np.arange(len(flat)), place % channels * BINS + bins_of(flat[:, place])] += 1
        share = (flat[:, place].astype(np.int64) + 128) % PLACES / (2 * PLACES)
        fine[:, :, place % channels] += share, share * (1 - share)
    picked = flat[:, places]
    ends = np.stack([np.sum(picked == -128, axis=1), np.sum(picked == 127, axis=1)], axis=1)
    return np.concatenate([codes, scores, ends, *fine], axis=1, dtype=np.float32)


def _places(size: int, inferences: int) -> tuple[Array, Array]:
    """First places and all places (inferences, codes), by the rule of health.c."""
    looked = min(size, CODES)
    step = 1 if size <= CODES else size // CODES | 1
    starts, place = [], 0
    for _ in range(inferences):
        place = place if place < size else 0
        starts.append(place)
        place = (place + step * looked) % size + 1
    first = np.array(starts)
    return first, (first[:, None] + step * np.arange(looked)) % size


# ---- false alarms ----


def false_alarms(windows: int) -> Iterator[dict[str, Any]]:
    with ProcessPoolExecutor(WORKERS) as workers:
        made = [
            workers.submit(_alarms, name, inferences, fresh, windows)
            for name in POPULATIONS
            for inferences in COUNTS
            for fresh in (False, True)
        ]
        for row in made:
            yield row.result()


def _alarms(name: str, inferences: int, fresh: bool, windows: int) -> dict[str, Any]:
    pool = POPULATIONS[name](np.random.default_rng(1))
    counted = counting(pool)
    rng = np.random.default_rng([*name.encode(), inferences, fresh])
    by_kind: Counter[str] = Counter()
    alarmed = 0
    for _ in range(windows // WINDOWS_PER_REFERENCE):
        reference = pool.profile(_picked(rng, pool) if fresh else np.arange(len(pool.inputs)))
        seen = counted.windows(rng, WINDOWS_PER_REFERENCE, inferences)
        raised = _raised(reference, counted, seen, inferences)
        any_raised = np.any(list(raised.values()), axis=0)
        by_kind.update({kind: int(found.sum()) for kind, found in raised.items()})
        alarmed += int(any_raised.sum())
        for at in {*range(CHECKED), *(int(row) for row in np.flatnonzero(any_raised))}:
            verdict = judge(reference, counted.counters(seen[at], inferences))
            worded = {finding.what for finding in verdict.findings}
            assert worded >= {what for what, found in raised.items() if found[at]}
            assert bool(worded) == bool(any_raised[at])
    return {
        "population": name,
        "profile": "fresh" if fresh else "own",
        "inferences": inferences,
        "windows": windows,
        "alarms": alarmed,
        "by": dict(by_kind),
    }


def _picked(rng: np.random.Generator, pool: Pool) -> Array:
    return rng.choice(len(pool.inputs), min(REFERENCE, len(pool.inputs) // 2), replace=False)


def _raised(reference: Profile, counted: Counting, seen: Array, inferences: int) -> dict[str, Array]:
    """By histogram, which windows it calls drift."""
    at = counted.channels * BINS
    chances = {}
    for group, known in enumerate(reference.codes):
        what = ALL_CHANNELS if counted.channels == 1 else f"input 0 channel {group}"
        counts, fine = seen[:, BINS * group : BINS * (group + 1)], counted.fine(seen)[:, group]
        chances[what] = compare(known, reference.samples, counts, fine, inferences).p_value
    if reference.together:
        counts = seen[:, :at].reshape(len(seen), counted.channels, BINS)
        chances[ALL_CHANNELS] = compare_together(reference, counts, inferences).p_value
    scores = {"confidence": seen[:, at : at + BINS], "classes": counted.classes(seen)}
    for what, counts in scores.items():
        found = distances(getattr(reference, what), counts)
        chances[what] = np.where(found.psi >= LEAST_PSI, found.p_value, 1.0)
    limit = FALSE_ALARM_RATE / len(chances)
    return {what: np.asarray(found < limit) for what, found in chances.items()}


# ---- detection ----


def _moved_up(pool: Pool) -> Array:
    return _clipped(pool.inputs.astype(np.int32) + SHIFT)


def _moved_down(pool: Pool) -> Array:
    return _clipped(pool.inputs.astype(np.int32) - SHIFT)


def _stuck(pool: Pool) -> Array:
    """A channel; the input where it has but one histogram."""
    values = pool.inputs.copy()
    values[..., 1 if 1 < values.shape[-1] <= MOST_GROUPS else slice(None)] = 17
    return values


def _swapped(pool: Pool) -> Array:
    order = np.arange(pool.inputs.shape[-1])
    order[1:3] = 2, 1
    return pool.inputs[..., order]


def _gained(pool: Pool) -> Array:
    """About the mean of the channel, as after a coupling capacitor."""
    middle = pool.inputs.reshape(-1, pool.inputs.shape[-1]).mean(axis=0)
    return _clipped(np.round((pool.inputs - middle) * 2 + middle))


def _saturated(pool: Pool) -> Array:
    return _clipped(pool.inputs.astype(np.int32) + 110)


def _clipped(values: Array) -> Array:
    return np.clip(values, -128, 127).astype(np.int8)


def _new_class(rng: np.random.Generator, share: float) -> tuple[Pool, Pool]:
    """Digits up to 8 and a model of those; and inputs of which a share are 9s."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    x, y = load_digits(return_X_y=True)
    x, known = x / 16, np.flatnonzero(y < 9)
    pool = Pool(_quantized(x[known]), _held_out_scores(x[known], y[known]))
    model = LogisticRegression(max_iter=2000).fit(x[known], y[known])
    new = rng.choice(np.flatnonzero(y == 9), round(len(known) * share / (1 - share)))
    inputs = np.concatenate([pool.inputs, _quantized(x[new])])
    return pool, Pool(inputs, np.concatenate([pool.outputs, _quantized(model.predict_proba(x[new]))]))


CHANGES: dict[str, tuple[Callable[[Pool], Array], str, tuple[str, ...]]] = {
    "shift up by 5 %": (_moved_up, "has moved up", tuple(POPULATIONS)),
    "shift down by 5 %": (_moved_down, "has moved down", tuple(POPULATIONS)),
    "stuck": (_stuck, "is stuck", tuple(POPULATIONS)),
    "swapped channels": (_swapped, "is swapped with", ("accelerometer", "iris")),
    "gain of 2": (_gained, "has another gain", ("accelerometer", "spectrogram")),
    "saturation": (_saturated, "saturates", tuple(POPULATIONS)),
}


def detections(seeds: int) -> list[dict[str, Any]]:
    with ProcessPoolExecutor(WORKERS) as workers:
        made = [
            workers.submit(_kind_detected, kind, name, fresh, seeds)
            for kind, (_, _, names) in CHANGES.items()
            for name in names
            for fresh in ((True, False) if "shift" in kind else (True,))
        ]
        made += [workers.submit(_new_class_detected, share, seeds) for share in (1 / 3, 1 / 2)]
        return [row.result() for row in made]


def _kind_detected(kind: str, name: str, fresh: bool, seeds: int) -> dict[str, Any]:
    change, words, _ = CHANGES[kind]
    pool = POPULATIONS[name](np.random.default_rng(1))
    return _detected(kind, name, words, (pool, Pool(change(pool), pool.outputs)), seeds, fresh=fresh)


def _new_class_detected(share: float, seeds: int) -> dict[str, Any]:
    pools = _new_class(np.random.default_rng(1), share)
    return _detected(f"new class, {share:.0%}", "digits", "new class", pools, seeds)


def _detected(
    kind: str, name: str, words: str, pools: tuple[Pool, Pool], seeds: int, *, fresh: bool = True
) -> dict[str, Any]:
    """How many of the seeds are found, and how many in these words."""
    pool, changed = pools
    counted = counting(changed)
    found = worded = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        reference = pool.profile(_picked(rng, pool) if fresh else np.arange(len(pool.inputs)))
        seen = counted.windows(rng, 1, DETECTED_IN)[0]
        verdict = judge(reference, counted.counters(seen, DETECTED_IN))
        found += verdict.state == "drift"
        worded += any(words in finding.words for finding in verdict.findings)
    return {
        "drift": kind,
        "population": name,
        "profile": "fresh" if fresh else "own",
        "seeds": seeds,
        "found": found,
        "in its words": worded,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = detections(options.seeds)
    for row in found:
        print(*row.values(), sep="\t", flush=True)
    alarms = []
    for row in false_alarms(options.windows):
        print(*row.values(), sep="\t", flush=True)
        alarms.append(row)
    if options.json:
        made = {"rate": FALSE_ALARM_RATE, "detection": found, "false alarms": alarms}
        options.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
