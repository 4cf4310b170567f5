# SPDX-License-Identifier: Apache-2.0
"""Features over arrays: the very C that devices run, compiled for this computer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

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
Item = TypeVar("Item")
Result = TypeVar("Result")
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
        return self.each(samples, _as_it_is)

    def each(
        self, samples: Iterable[Array], work: Callable[[Array], Result], workers: int | None = None
    ) -> Iterator[Result]:
        """What ``work`` makes of the features of up to 256 samples at a time, in order; it is called in the
        threads that compute them: ``workers``, one per processor by default, and one alone for a stream."""
        chunks = (chunk for piece in samples for chunk in chunks_of(piece, self._spec))
        if self._spec.input.stream:
            model = HostModel(self._compiled)
            return (work(_features(model, chunk, reset=False)) for chunk in chunks)
        idle: deque[HostModel] = deque()

        def made(chunk: Array) -> Result:
            try:
                model = idle.pop()
            except IndexError:
                model = HostModel(self._compiled)
            result = work(_features(model, chunk))
            idle.append(model)
            return result

        return threaded(chunks, made, workers)


def chunks_of(samples: Array, spec: Spec) -> Iterator[Array]:
    """Up to 256 raw samples at a time (n, 1, *shape), of the input's type. Raises DataError."""
    taken = spec.input
    if samples.shape[1:] != tuple(taken.shape):
        raise DataError(
            f"raw samples {list(samples.shape)} where [input] has shape {['N', *taken.shape]}",
            "give the raw samples, or correct shape in the specification",
        )
    raw = typed(samples, taken.type)[:, None]
    yield from (raw[i : i + _CHUNK] for i in range(0, len(raw), _CHUNK))


def threaded(
    items: Iterable[Item], work: Callable[[Item], Result], workers: int | None = None
) -> Iterator[Result]:
    """What ``work`` makes of each, in order, by so many threads (one per processor)."""
    workers = workers or platforms.here().processors()
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[Result]] = deque()
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _features(model: HostModel, chunk: Array, *, reset: bool = True) -> Array:
    made = model.run_batch([chunk], reset=reset)[0]
    return made[:, 0] if made.shape[1:2] == (1,) else made


def _as_it_is(features: Array) -> Array:
    return features


def typed(samples: Array, dtype: str) -> Array:
    """As the input's type. Raises DataError for values that it can't hold: nothing is clipped in silence."""
    wanted = np.dtype(dtype)
    if wanted.kind != "f" and samples.dtype != wanted:
        check_integers(samples, dtype, "the array of raw samples")
    return samples.astype(wanted, copy=False)
