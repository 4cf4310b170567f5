# SPDX-License-Identifier: Apache-2.0
"""Pieces of work on a cluster, in order: as many are on their way as keep its workers busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from tinyserve.errors import DeviceError, TinyserveError

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
_TIMEOUT_S = 600


def done(
    client: Client, threads: int, items: Iterable[Item], start: Callable[[Item], Any], *, remedy: str
) -> Iterator[tuple[Item, Any]]:
    """Each item, and what the future that ``start`` returns for it gives. ``threads``: those of all workers.

    Raises DeviceError with the remedy where the cluster loses a worker, and the work's own TinyserveErrors.
    """
    running: deque[tuple[Item, Any]] = deque()
    try:
        for item in items:
            running.append((item, start(item)))
            if len(running) > 2 * threads:
                yield _gathered(*running.popleft(), remedy)
        while running:
            yield _gathered(*running.popleft(), remedy)
    finally:
        with suppress(Exception):  # a scheduler that is gone has nothing left to cancel
            client.cancel([future for _, future in running])


def _gathered(item: Item, future: Any, remedy: str) -> tuple[Item, Any]:
    try:
        return item, future.result(timeout=_TIMEOUT_S)
    except TinyserveError:
        raise
    except Exception as error:  # distributed has many for workers and schedulers that are gone
        raise DeviceError(f"the cluster gave no result: {type(error).__name__}: {error}", remedy) from error
