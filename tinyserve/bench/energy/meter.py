# SPDX-License-Identifier: Apache-2.0
"""What every meter does, and the recording of one while something else runs."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol

from tinyserve.bench.energy.trace import Trace

POLL_S = 0.005


class Meter(Protocol):
    """A current meter. Every method raises DeviceError when the meter is gone or sends nonsense."""

    def start(self) -> None:
        """Begins to record."""
        ...

    def poll(self) -> None:
        """Takes what the meter has sent so far; returns at once or within a few milliseconds."""
        ...

    def stop(self) -> Trace:
        """Ends the recording and returns it."""
        ...

    def close(self) -> None:
        """Frees the meter; may be called twice."""
        ...


class Recording:
    """Records in a thread of its own for as long as the `with` block lasts; then ``trace`` is there.

    An error of the meter is raised at the end of the block, unless the block itself failed.
    """

    trace: Trace

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Recording:
        self._meter.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if error is not None:
            return
        if self._error is not None:
            raise self._error
        self.trace = self._meter.stop()

    def failed(self) -> bool:
        """Whether the meter has failed already: no need to go on."""
        return self._error is not None

    def _poll(self) -> None:
        try:
            while not self._ended.wait(POLL_S):
                self._meter.poll()
        except Exception as error:
            self._error = error
