# SPDX-License-Identifier: Apache-2.0
"""A thread of a member's own: what a device needs is done in it, one thing after the other.

The thread is a daemon, and nobody waits for it: a call that hangs in a driver holds up neither the other
members nor the end of the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_Call = Callable[[], object]
_log = logging.getLogger(__name__)


class Worker:
    """Call it from one event loop."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"member {name}", daemon=True)
        self._thread.start()

    async def call(self, function: Callable[[], T], timeout_s: float | None = None) -> T:
        """What ``function`` returns or raises. TimeoutError after ``timeout_s``: it goes on, unheard."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                result = function()
            except BaseException as error:
                _tell(loop, future, error)
            else:
                _tell(loop, future, result)

        self._calls.put(work)
        return await asyncio.wait_for(future, timeout_s) if timeout_s is not None else await future

    def stop(self, last: _Call) -> None:
        """Does what was called for, then ``last``, and ends."""
        self._calls.put(last)
        self._calls.put(None)

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended within that time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as error:  # of the last one alone: others tell who asked for them
                _log.warning("%s did not close in order", threading.current_thread().name, exc_info=error)


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], outcome: T | BaseException) -> None:
    def settle() -> None:
        if future.done():
            return
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody wants to know
        loop.call_soon_threadsafe(settle)
