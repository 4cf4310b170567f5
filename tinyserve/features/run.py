# SPDX-License-Identifier: Apache-2.0
"""Features over arrays: the very C that devices run, compiled for this computer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
        made = list(self.pieces([samples]))
        if not made:
            raise DataError("there is no sample", "give at least one")
        return np.concatenate(made)

    def pieces(self, samples: Iterable[Array]) -> Iterator[Array]:
        """As ``run``, of samples that come in pieces; features of up to 256 samples at a time, in order. As
        many as keep every processor busy are in memory."""
        chunks = (chunk for piece in samples for chunk in self._chunks(piece))
        made = self._in_order(chunks) if self._spec.input.stream else self._threaded(chunks)
        for features in made:
            yield features[:, 0] if features.shape[1:2] == (1,) else features

    def _chunks(self, samples: Array) -> Iterator[Array]:
        taken = self._spec.input
        if samples.shape[1:] != tuple(taken.shape):
            raise DataError(
                f"raw samples {list(samples.shape)} where [input] has shape {['N', *taken.shape]}",
                "give the raw samples, or correct shape in the specification",
            )
        raw = typed(samples, taken.type)[:, None]
        yield from (raw[i : i + _CHUNK] for i in range(0, len(raw), _CHUNK))

    def _in_order(self, chunks: Iterator[Array]) -> Iterator[Array]:
        model = HostModel(self._compiled)
        for chunk in chunks:
            yield model.run_batch([chunk], reset=False)[0]

    def _threaded(self, chunks: Iterator[Array]) -> Iterator[Array]:
        workers = platforms.here().processors()
        idle: deque[HostModel] = deque()

        def features(chunk: Array) -> Array:
            try:
                model = idle.pop()
            except IndexError:
                model = HostModel(self._compiled)
            made = model.run_batch([chunk])[0]
            idle.append(model)
            return made

        with ThreadPoolExecutor(workers) as pool:
            running: deque[Future[Array]] = deque()
            for chunk in chunks:
                running.append(pool.submit(features, chunk))
                if len(running) > 2 * workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()


def typed(samples: Array, dtype: str) -> Array:
    """As the input's type. Raises DataError for values that it can't hold: nothing is clipped in silence."""
    wanted = np.dtype(dtype)
    if wanted.kind != "f" and samples.dtype != wanted:
        check_integers(samples, dtype, "the array of raw samples")
    return samples.astype(wanted, copy=False)
