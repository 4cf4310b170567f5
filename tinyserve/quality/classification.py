# SPDX-License-Identifier: Apache-2.0
"""Classes: accuracy, top-k and which classes are mixed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import Score
from tinyserve.errors import DataError
from tinyserve.quality.rows import UNKNOWN, Array, Rows, unknown

_MOST_CLASSES = 1000  # of a confusion matrix


@dataclass(frozen=True)
class Classification:
    """One of ``classes``. One value says which of two it is: the second above ``threshold``.

    ``names`` of the classes in the outputs' order, where they are known: labels may be names. ``top``: also
    counts labels among the largest so many scores.
    """

    classes: int
    why: str
    names: tuple[str, ...] = ()
    threshold: float = 0.5
    top: int = 0
    name: str = "classification"

    def rows(self, first: int, outputs: Array, labels: Array | None, inputs: Sequence[Array]) -> Rows:
        flat = outputs.reshape(len(outputs), -1)
        known = self.indices(labels, len(flat), first)
        predicted = flat.argmax(axis=1) if flat.shape[1] > 1 else flat[:, 0] > self.threshold
        score = flat.max(axis=1).astype(np.float32)
        return Rows(first, predicted.astype(np.int64), known, score, _ranks(flat, predicted, known))

    def indices(self, labels: Array | None, count: int, first: int = 0) -> npt.NDArray[np.int64]:
        """Class indices (N,); -1 where there are no labels. Raises DataError for what is no class."""
        if labels is None:
            return unknown(count)
        if labels.ndim == 2 and labels.shape[1] == self.classes and _is_one_hot(labels):
            return np.asarray(labels.argmax(axis=1), np.int64)
        if labels.ndim != 1:
            raise DataError(
                f"labels of shape {labels.shape} are neither class indices nor one-hot rows",
                "give one class index per sample, or rows of zeros with a single one",
            )
        if labels.dtype.kind in "USO":
            numbers = None if self.names else _numbers(labels)
            if numbers is None:
                return self._named(labels, first)
            labels = numbers
        if labels.dtype.kind not in "fiub":
            raise DataError(f"labels are {labels.dtype}", "give class indices from 0, or class names")
        if len(self.names) == self.classes and _are_numbers(self.names):
            return self._named(labels, first)  # whatever they are: data may come a piece at a time
        with np.errstate(invalid="ignore"):
            whole = labels.astype(np.int64)
        bad = (whole != labels) | (whole < 0) | (whole >= self.classes)
        if not bad.any():
            return whole
        place = int(np.argmax(bad))
        low, high = labels.min(), labels.max()
        hint = "give class indices from 0; for a model that tells no classes apart, name its task: --task"
        if low == 1 and high == self.classes:
            hint = f"labels count from 1 to {self.classes} here: subtract 1 from each"
        raise DataError(
            f"the label of sample {first + place} is {labels[place]!s}, classes are 0 to {self.classes - 1}",
            hint,
        )

    def _named(self, labels: Array, first: int) -> npt.NDArray[np.int64]:
        if len(self.names) != self.classes:
            raise DataError(
                f"labels are names ('{labels[0]!s}'), and the model's class names are not known",
                "give class indices from 0, or convert with --labels FILE, one name per line",
            )
        places = {name: index for index, name in enumerate(self.names)}
        found = np.array([places.get(_name(label), UNKNOWN) for label in labels], np.int64)
        if (found < 0).any():
            place = int(np.argmax(found < 0))
            alike = {_plain(name): name for name in self.names}.get(_plain(_name(labels[place])))
            hint = f"its classes are {', '.join(self.names[:20])}"
            raise DataError(
                f"the label of sample {first + place} is '{labels[place]!s}', which is no class of the model",
                f"write '{alike}', as --labels does; {hint}" if alike else hint,
            )
        return found

    def tally(self) -> ClassTally:
        return ClassTally(self.classes, self.top)


class ClassTally:
    """Counts right predictions. ``confusion[label, prediction]``; None with more than 1,000 classes."""

    def __init__(self, classes: int, top: int = 0) -> None:
        self.labelled = self.correct = self._within = 0
        self._top = top
        self.confusion = np.zeros((classes, classes), np.int64) if classes <= _MOST_CLASSES else None

    def add(self, rows: Rows) -> None:
        known = rows.label >= 0
        self.labelled += int(known.sum())
        self.correct += int((rows.predicted == rows.label)[known].sum())
        self._within += int((rows.rank[known] < self._top).sum())
        if self.confusion is not None:
            np.add.at(self.confusion, (rows.label[known], rows.predicted[known]), 1)

    def scores(self) -> list[Score]:
        if not self.labelled:
            return []
        found = [Score("accuracy", self.correct / self.labelled)]
        if self._top > 1:
            found.append(Score(f"top-{self._top} accuracy", self._within / self.labelled))
        return found


def _ranks(flat: Array, predicted: Array, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many classes come before the label; of equal scores the first class does, as in argmax."""
    if flat.shape[1] == 1:
        return np.where(labels < 0, UNKNOWN, (predicted != labels).astype(np.int64))
    own = flat[np.arange(len(flat)), np.maximum(labels, 0)][:, None]
    before = np.arange(flat.shape[1])[None] < labels[:, None]
    ranks = ((flat > own) | ((flat == own) & before)).sum(axis=1)
    return np.where(labels < 0, UNKNOWN, ranks)


def _is_one_hot(labels: Array) -> bool:
    return labels.dtype.kind in "fiub" and bool(
        ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()
    )


def _name(label: object) -> str:
    """As a class is called: '3' for 3.0, text as it is."""
    if isinstance(label, bytes):
        return label.decode(errors="replace")
    return f"{label:g}" if isinstance(label, float | np.floating) else str(label)


def _plain(name: str) -> str:
    """Without case, and without what separates words."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _numbers(labels: Array) -> Array | None:
    """Texts that are all whole numbers as numbers."""
    texts = [_name(label).strip() for label in labels.tolist()]
    return np.array([int(text) for text in texts], np.int64) if _are_numbers(texts) else None


def _are_numbers(names: Sequence[str]) -> bool:
    return all(name.lstrip("-").isdecimal() for name in names)
