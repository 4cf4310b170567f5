# SPDX-License-Identifier: Apache-2.0
"""The Dask scheduler that --scheduler names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinyserve.errors import DeviceError, ToolError, UsageError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_TIMEOUT_S = 20
_ADDRESS = re.compile(r"inproc://.+|[a-z]+://.+:\d+|[^:/]+:\d+")


@contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of the Dask scheduler at an address (tcp://host:port).

    Raises ToolError without dask.distributed, UsageError for what is no address, and DeviceError where no
    scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ToolError("--scheduler needs dask.distributed", "pip install 'tinyserve[cluster]'") from error
    if not _ADDRESS.fullmatch(scheduler):
        raise UsageError(f"--scheduler {scheduler}: no address", "for example tcp://127.0.0.1:8786")
    try:
        client = Client(scheduler, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise DeviceError(
            f"no Dask scheduler answers at {scheduler}: {error}",
            "start one: dask scheduler; dask worker ADDRESS",
        ) from error
    with client:
        yield client


def threads_of(client: Client, scheduler: str) -> int:
    """Those of all workers. Raises DeviceError where there are none: what is sent would wait for ever."""
    threads: int = sum(client.nthreads().values())
    if not threads:
        raise DeviceError(
            f"the Dask scheduler at {scheduler} has no workers", f"start one: dask worker {scheduler}"
        )
    return threads
