# SPDX-License-Identifier: Apache-2.0
"""What is gathered of features over all samples, wherever they are computed: parts that are merged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from tinyserve.cluster.scheduler import connected, threads_of
from tinyserve.cluster.work import done
from tinyserve.features.run import FeatureRunner, chunks_of, threaded
from tinyserve.features.spec import Spec, encode, parse

Array = npt.NDArray[Any]
Part = TypeVar("Part", bound="Gatherer")


class Gatherer(Protocol):
    """Takes values in (``add``), or what another of its kind took in: the order makes no difference."""

    def fresh(self: Part) -> Part:
        """An empty one of the same kind."""

    def add(self, values: Array) -> None:
        """Rows of float32 (n, width)."""

    def merge(self: Part, other: Part) -> None:
        """Adds what the other took in."""


Gathered = Callable[[Spec, Iterable[Array], Any], None]
"""Adds to a gatherer what a specification makes of pieces of raw samples; without steps, these themselves."""


def here(before: Spec, source: Iterable[Array], into: Gatherer) -> None:
    """On this computer's processors. Raises what ``FeatureRunner`` raises."""
    _gather(before, source, into, None)


@contextmanager
def on_cluster(scheduler: str) -> Iterator[Gathered]:
    """On the workers of a Dask cluster, a piece at a time. Raises ToolError, UsageError, DeviceError."""
    with connected(scheduler) as client:
        threads = threads_of(client, scheduler)

        def gathered(before: Spec, source: Iterable[Array], into: Gatherer) -> None:
            def start(piece: Array) -> Any:
                return client.submit(gathered_remotely, before, piece, into.fresh(), pure=False)

            for _, part in done(client, threads, source, start, remedy="see to its workers, and fit again"):
                into.merge(part)

        yield gathered


def gathered_remotely(before: Spec, piece: Array, into: Gatherer) -> Gatherer:
    """What a cluster's worker does with a piece, in the one thread that it was given."""
    _gather(before, [piece], into, 1)
    return into


def _gather(before: Spec, source: Iterable[Array], into: Gatherer, workers: int | None) -> None:
    """``workers``: threads, each with a part of its own."""
    parts: list[Gatherer] = []
    idle: deque[Gatherer] = deque()

    def add(values: Array) -> None:
        try:
            own = idle.pop()
        except IndexError:
            own = into.fresh()
            parts.append(own)
        own.add(values.reshape(-1, values.shape[-1]).astype(np.float32, copy=False))
        idle.append(own)

    if before.steps:
        made = _runner(encode(before)).each(source, add, workers)
    else:
        raw = (chunk[:, 0] for piece in source for chunk in chunks_of(piece, before))
        made = threaded(raw, add, workers)
    deque(made, maxlen=0)
    for part in parts:
        into.merge(part)


@lru_cache(maxsize=4)
def _runner(before: bytes) -> FeatureRunner:
    return FeatureRunner(parse(before, "", json=True))
