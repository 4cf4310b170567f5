# SPDX-License-Identifier: Apache-2.0
"""Labels that do not match the classes: counted from 1, numbered by their names' order, permuted.

An accuracy of nearly nothing is then no property of the model. It shows in the confusion matrix: with the
labels read in another way, far more of the predictions are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tinyserve.quality.rows import Task

_LEAST_SAMPLES = 10
_LEAST_PER_CLASS = 5
"""Samples that an order of all classes is read off: of fewer it would be made to fit."""
_LEAST_GAIN = 0.25
_ALIKE = 0.02  # of accuracy, by which a likelier reading may be behind
_NAMED = 6
_AS_NAMES = "give labels as the classes' names, or --labels with the names in the order of the model's scores"

Counts = npt.NDArray[np.int64]


def doubt(confusion: Counts | None, names: Sequence[str] = ()) -> str:
    """Why labels seem to mean other classes, with what to try; empty where they do not.

    ``confusion[label, prediction]`` counts samples; ``names`` of the classes, empty where nobody knows them.
    """
    if confusion is None or confusion.sum() < _LEAST_SAMPLES:
        return ""
    classes = len(confusion)
    own = np.arange(classes)
    readings = _readings(confusion, names if len(names) == classes else ())
    fitting = [(read, words) for read, words in readings if _fits_better(confusion, own, read)]
    if not fitting:
        return ""
    best = max(_shares(confusion, read)[0] for read, _ in fitting)
    read, words = next(one for one in fitting if _shares(confusion, one[0])[0] >= best - _ALIKE)
    found = f"{_percent(confusion, read)} instead of {_percent(confusion, own)}"
    return f"labels do not match the model's classes: {words} (accuracy {found})"


def doubt_of(task: Task, confusion: Counts | None, names: Sequence[str] = ()) -> str:
    """``doubt`` of a classification; empty for other tasks, whose samples have no label each."""
    return doubt(confusion, names) if task.name == "classification" else ""


def _readings(confusion: Counts, names: Sequence[str]) -> Iterator[tuple[Counts, str]]:
    """Which class each label may stand for (-1: none), and what that would mean, the likeliest first."""
    classes = len(confusion)
    own = np.arange(classes)
    yield own - 1, "they seem to count from 1; subtract 1 from each"
    yield np.where(own + 1 < classes, own + 1, -1), "they seem to be one too low; add 1 to each"
    called = [str(name) for name in names] or [str(number) for number in own]
    by_name = np.array(sorted(own, key=called.__getitem__))
    if names:
        listed = ", ".join(called[place] for place in by_name[:_NAMED]) + (", …" if classes > _NAMED else "")
        yield by_name, f"they seem to number the names in alphabetical order ({listed}); {_AS_NAMES}"
    else:
        yield by_name, f"they seem to number the classes sorted as text (0, 1, 10, …); {_AS_NAMES}"
    backwards = "they seem to be the wrong way round; swap them" if classes == 2 else (
        f"they seem to count from the last class down; {_AS_NAMES}"
    )  # fmt: skip
    yield own[::-1].copy(), backwards
    most = np.where(confusion.sum(axis=1) > 0, confusion.argmax(axis=1), -1)
    seen = most[most >= 0]
    if len(set(seen.tolist())) == len(seen) and confusion.sum() >= _LEAST_PER_CLASS * len(seen):
        pairs = [(int(label), called[most[label]]) for label in own if most[label] >= 0]
        listed = ", ".join(f"{label} for '{name}'" for label, name in pairs[:_NAMED])
        more = ", …" if len(pairs) > _NAMED else ""
        yield most, f"they seem to be in another order ({listed}{more}); {_AS_NAMES}"


def _fits_better(confusion: Counts, own: Counts, read: Counts) -> bool:
    """Whether far more predictions are right, over all samples and in the mean of the classes: a model that
    always says the same is right of one class, however labels are read."""
    if np.array_equal(own, read) or np.count_nonzero(confusion.sum(axis=1)) < 2:
        return False
    least = max(_LEAST_GAIN, 3 / float(np.sqrt(confusion.sum())))
    return all(
        after >= 0.5 and after - before >= least
        for before, after in zip(_shares(confusion, own), _shares(confusion, read), strict=True)
    )


def _shares(confusion: Counts, read: Counts) -> tuple[float, float]:
    """Right predictions of all samples, and the mean of that by label."""
    right = np.where(read >= 0, confusion[np.arange(len(confusion)), read], 0)
    totals = confusion.sum(axis=1)
    return float(right.sum() / totals.sum()), float((right[totals > 0] / totals[totals > 0]).mean())


def _percent(confusion: Counts, read: Counts) -> str:
    return f"{100 * _shares(confusion, read)[0]:.1f} %"
