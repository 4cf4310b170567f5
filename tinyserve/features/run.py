# SPDX-License-Identifier: Apache-2.0
"""Features over arrays: the very C that devices run, compiled for this computer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import platforms
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.datasets.readers import check_integers
from tinyserve.errors import DataError
from tinyserve.features.model import written
from tinyserve.features.spec import Spec

Array = npt.NDArray[Any]
_CHUNK = 256  # samples


class FeatureRunner:
    """Raw samples (N, *shape) to features (N, *feature shape), float32.

    Samples of a stream follow one another: each goes on where the last one ended, from silence with each
    ``run``. Others are independent, and are spread over threads. ``shape``: see ``model.written``.
    """

    def __init__(self, spec: Spec, shape: tuple[int, ...] | None = None) -> None:
        self._spec = spec
        self._compiled = compile_model(written(spec, shape)[0])

    def run(self, samples: Array) -> Array:
        """Raises DataError for samples of another shape, or that the input's type can't hold."""
        taken = self._spec.input
        if samples.shape[1:] != tuple(taken.shape):
            raise DataError(
                f"raw samples {list(samples.shape)} where [input] has shape {['N', *taken.shape]}",
                "give the raw samples, or correct shape in the specification",
            )
        raw = typed(samples, taken.type)[:, None]
        chunks = [raw[i : i + _CHUNK] for i in range(0, len(raw), _CHUNK)]
        if not chunks:
            raise DataError("there is no sample", "give at least one")
        if taken.stream or len(chunks) == 1:
            model = HostModel(self._compiled)
            made = [model.run_batch([chunk], reset=not taken.stream)[0] for chunk in chunks]
        else:
            made = self._threaded(chunks)
        features: Array = np.concatenate(made)
        return features[:, 0] if features.shape[1:2] == (1,) else features

    def _threaded(self, chunks: list[Array]) -> list[Array]:
        workers = min(len(chunks), platforms.here().processors())
        models = [HostModel(self._compiled) for _ in range(workers)]

        def share(worker: int) -> list[Array]:
            return [models[worker].run_batch([chunk])[0] for chunk in chunks[worker::workers]]

        with ThreadPoolExecutor(workers) as pool:
            shares = list(pool.map(share, range(workers)))
        return [shares[i % workers][i // workers] for i in range(len(chunks))]


def typed(samples: Array, dtype: str) -> Array:
    """As the input's type. Raises DataError for values that it can't hold: nothing is clipped in silence."""
    wanted = np.dtype(dtype)
    if wanted.kind != "f" and samples.dtype != wanted:
        check_integers(samples, dtype, "the array of raw samples")
    return samples.astype(wanted, copy=False)
