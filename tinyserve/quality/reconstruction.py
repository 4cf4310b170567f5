# SPDX-License-Identifier: Apache-2.0
"""Outputs that repeat an input (autoencoders): the error, and how well it tells anomalies from the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.bundle import Score
from tinyserve.errors import DataError
from tinyserve.quality.rows import Array, Rows, unknown


@dataclass(frozen=True)
class Reconstruction:
    """Of input number ``of``. Labels say which samples are anomalies: 1, or a name that is not 'normal'."""

    of: int
    why: str
    name: str = "reconstruction"

    def rows(self, first: int, outputs: Array, labels: Array | None, inputs: Sequence[Array]) -> Rows:
        count = len(outputs)
        got, wanted = outputs.reshape(count, -1), inputs[self.of].reshape(count, -1)
        return _rows(first, ((got.astype(np.float64) - wanted) ** 2).mean(axis=1), labels)

    def tally(self) -> AnomalyTally:
        return AnomalyTally()


@dataclass(frozen=True)
class AnomalyScore:
    """A single output that grows with how unusual a sample is (distances, isolation depths)."""

    why: str
    name: str = "anomaly score"

    def rows(self, first: int, outputs: Array, labels: Array | None, inputs: Sequence[Array]) -> Rows:
        return _rows(first, outputs.reshape(len(outputs), -1).astype(np.float64).max(axis=1), labels)

    def tally(self) -> AnomalyTally:
        return AnomalyTally(is_error=False)


class AnomalyTally:
    """Keeps each sample's error: 16 bytes."""

    confusion = None

    def __init__(self, is_error: bool = True) -> None:
        self.labelled = 0
        self._is_error = is_error
        self._errors: list[Array] = []
        self._labels: list[Array] = []

    def add(self, rows: Rows) -> None:
        self.labelled += int((rows.label >= 0).sum())
        self._errors.append(rows.predicted)
        self._labels.append(rows.label)

    def scores(self) -> list[Score]:
        """The area under the ROC curve where both kinds are there, and the error of normal samples."""
        if not self._errors:
            return []
        errors, labels = np.concatenate(self._errors), np.concatenate(self._labels)
        normal = errors[labels < 1]
        found = []
        if (labels == 0).any() and (labels == 1).any():
            found.append(Score("AUC", auc(errors[labels == 0], errors[labels == 1])))
        if self._is_error and len(normal):
            found.append(Score("RMS error", float(np.sqrt(normal.mean())), "lower"))
        return found


def auc(normal: Array, anomalies: Array) -> float:
    """The chance that an anomaly has the larger score than a normal sample; equal ones count half."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, anomalies, "left")
    equal = np.searchsorted(ordered, anomalies, "right") - below
    return float((below + 0.5 * equal).sum() / (len(normal) * len(anomalies)))


def _rows(first: int, errors: Array, labels: Array | None) -> Rows:
    known = unknown(len(errors)) if labels is None else _anomalies(labels, first)
    return Rows(first, errors, known, errors.astype(np.float32), unknown(len(errors)))


def _anomalies(labels: Array, first: int) -> npt.NDArray[np.int64]:
    if labels.ndim != 1:
        raise DataError(
            f"labels of shape {labels.shape} do not say which samples are anomalies", "give 0 or 1 per sample"
        )
    if labels.dtype.kind in "USO":
        return np.array([str(label).strip().lower() not in _NORMAL for label in labels], np.int64)
    bad = ~np.isin(labels, (0, 1))
    if bad.any():
        place = int(np.argmax(bad))
        raise DataError(
            f"the label of sample {first + place} is {labels[place]!s}: anomalies are 1, others 0",
            "give 0 or 1 per sample, or leave 'y' out to have the error alone",
        )
    return labels.astype(np.int64)


_NORMAL = frozenset({"normal", "ok", "good", "0"})
