# SPDX-License-Identifier: Apache-2.0
"""A data set in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyserve.datasets.named import Array


@dataclass(frozen=True)
class Dataset:
    """Samples in real units: per model input one array (N, *sample shape), labels where known:
    class indices (N,), or targets as the source has them, one row per sample.

    ``origin`` says for messages and the manifest where the samples came from.
    """

    inputs: list[Array]
    labels: Array | None
    origin: str
    synthetic: bool = False
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs[0])

    def take(self, indices: npt.NDArray[np.intp]) -> Dataset:
        """The samples at ``indices``, in that order."""
        labels = None if self.labels is None else self.labels[indices]
        return replace(self, inputs=[array[indices] for array in self.inputs], labels=labels)

    def joined(self, other: Dataset) -> Dataset:
        """These samples and then the other's; both have labels, or neither."""
        inputs = [np.concatenate(pair) for pair in zip(self.inputs, other.inputs, strict=True)]
        labels = (
            None
            if self.labels is None or other.labels is None
            else np.concatenate([self.labels, other.labels])
        )
        return replace(self, inputs=inputs, labels=labels)
