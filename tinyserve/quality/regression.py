# SPDX-License-Identifier: Apache-2.0
"""Values: how far predictions are from targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyserve.bundle import Score
from tinyserve.errors import DataError
from tinyserve.quality.rows import Array, Rows, unknown


@dataclass(frozen=True)
class Regression:
    """``values`` numbers per sample, in real units."""

    values: int
    why: str
    name: str = "regression"

    def rows(self, first: int, outputs: Array, labels: Array | None, inputs: Sequence[Array]) -> Rows:
        predicted = outputs.reshape(len(outputs), -1).astype(np.float64)
        known = np.full(predicted.shape, np.nan) if labels is None else self._targets(labels, first)
        return Rows(first, predicted, known, predicted[:, 0].astype(np.float32), unknown(len(predicted)))

    def _targets(self, labels: Array, first: int) -> Array:
        flat = labels.reshape(len(labels), -1)
        if flat.dtype.kind not in "fiub" or flat.shape[1] != self.values:
            raise DataError(
                f"targets of type {labels.dtype} and shape {labels.shape} are not {self.values} "
                f"number{'s' * (self.values != 1)} per sample",
                "give an array 'y' with one row per sample, in the units of training",
            )
        targets = flat.astype(np.float64)
        bad = ~np.isfinite(targets).all(axis=1)
        if bad.any():
            raise DataError(
                f"the target of sample {first + int(np.argmax(bad))} is not finite",
                "leave such samples out",
            )
        return targets

    def tally(self) -> ErrorTally:
        return ErrorTally(self.values)


class ErrorTally:
    """Sums of errors and of targets, per value. Variances are summed around the first target, which is near
    enough to the mean that no digits are lost."""

    confusion = None

    def __init__(self, values: int) -> None:
        self.labelled = 0
        self._around: Array | None = None
        self._absolute, self._squared = np.zeros(values), np.zeros(values)
        self._sum, self._power = np.zeros(values), np.zeros(values)

    def add(self, rows: Rows) -> None:
        known = np.isfinite(rows.label).all(axis=1)
        if not known.any():
            return
        targets = rows.label[known]
        errors = rows.predicted[known] - targets
        if self._around is None:
            self._around = targets[0].copy()
        self.labelled += len(targets)
        self._absolute += np.abs(errors).sum(axis=0)
        self._squared += (errors**2).sum(axis=0)
        self._sum += (targets - self._around).sum(axis=0)
        self._power += ((targets - self._around) ** 2).sum(axis=0)

    def scores(self) -> list[Score]:
        """R² (the mean over several values), MAE and RMSE. R² has no value where no target differs."""
        if not self.labelled:
            return []
        spread = self._power - self._sum**2 / self.labelled
        varies = spread > 1e-12 * np.maximum(self._power, 1e-300)
        found = []
        if self.labelled > 1 and varies.any():
            found.append(Score("R²", float((1 - self._squared[varies] / spread[varies]).mean())))
        mae = float(self._absolute.mean() / self.labelled)
        rmse = float(np.sqrt(self._squared.mean() / self.labelled))
        return [*found, Score("RMSE", rmse, "lower"), Score("MAE", mae, "lower")]
