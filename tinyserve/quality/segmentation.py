# SPDX-License-Identifier: Apache-2.0
"""A class at every place of an image or step of a sequence: mean intersection over union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import Score
from tinyserve.errors import DataError
from tinyserve.quality.rows import UNKNOWN, Array, Rows, unknown

_IGNORED = 255
"""What Pascal VOC and Cityscapes write where nobody knows the class."""


@dataclass(frozen=True)
class Segmentation:
    """Scores of ``classes`` at each of ``places``; one value says which of two it is."""

    classes: int
    places: int
    why: str
    threshold: float = 0.5
    name: str = "segmentation"

    def rows(self, first: int, outputs: Array, labels: Array | None, inputs: Sequence[Array]) -> Rows:
        count = len(outputs)
        scores = outputs.reshape(count, self.places, -1)
        taken = scores.argmax(axis=2) if scores.shape[2] > 1 else (scores[..., 0] > self.threshold)
        counts = np.zeros((count, self.classes**2), np.int64)
        if labels is not None:
            truth = self._truth(labels, first)
            pairs = truth * self.classes + taken
            for row, (pair, known) in enumerate(zip(pairs, truth >= 0, strict=True)):
                counts[row] = np.bincount(pair[known], minlength=self.classes**2)
        label = unknown(count) if labels is None else np.zeros(count, np.int64)
        return Rows(first, counts, label, np.zeros(count, np.float32), unknown(count))

    def _truth(self, labels: Array, first: int) -> npt.NDArray[np.int64]:
        """Classes (N, places), -1 where they are not known."""
        flat = labels.reshape(len(labels), -1)
        if self.classes > 1 and flat.shape[1] == self.places * self.classes:
            flat = labels.reshape(len(labels), self.places, self.classes).argmax(axis=2)
        if flat.shape[1] != self.places or flat.dtype.kind not in "fiub":
            raise DataError(
                f"masks of shape {labels.shape} and type {labels.dtype} do not fit {self.places:,} places",
                "give the class of each place, or one-hot scores, in the output's size",
            )
        whole = flat.astype(np.int64)
        ignored = whole == _IGNORED
        bad = ((whole < 0) | (whole >= self.classes) | (whole != flat)) & ~ignored
        if bad.any():
            sample = int(np.argmax(bad.any(axis=1)))
            worst = flat[sample][bad[sample]][0]
            raise DataError(
                f"the mask of sample {first + sample} holds {worst!s}, classes are 0 to {self.classes - 1}",
                f"give class indices from 0; {_IGNORED} stands for places to leave out",
            )
        return np.where(ignored, UNKNOWN, whole)

    def tally(self) -> PlaceTally:
        return PlaceTally(self.classes)


class PlaceTally:
    """Counts places by label and prediction."""

    def __init__(self, classes: int) -> None:
        self.labelled = 0
        self.confusion: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    def add(self, rows: Rows) -> None:
        known = rows.label >= 0
        self.labelled += int(known.sum())
        self.confusion += rows.predicted[known].sum(axis=0).reshape(self.confusion.shape)

    def scores(self) -> list[Score]:
        """Classes that neither masks nor predictions hold have no share in the mean."""
        total = int(self.confusion.sum())
        if not total:
            return []
        hit = np.diag(self.confusion).astype(np.float64)
        union = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - hit
        there = union > 0
        return [
            Score("mean IoU", float((hit[there] / union[there]).mean())),
            Score("accuracy of places", float(hit.sum() / total)),
        ]
