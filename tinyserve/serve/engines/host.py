# SPDX-License-Identifier: Apache-2.0
"""This computer."""

from __future__ import annotations

import time

from tinyserve.compiler.events import Event
from tinyserve.serve.engines.base import Engine, Identity
from tinyserve.serve.request import Ran, Sample
from tinyserve.serve.served import Served

INLINE_S = 0.0005
"""What computes in less is not worth a change of threads."""


class HostEngine(Engine):
    """The model's kernels for this very processor, in this process."""

    def __init__(self, model: Served) -> None:
        self._model = model.host_model()
        self._heard: list[Event] = []
        if model.has_events:
            self._model.listen(self._heard.append)
        self.identity = Identity("this computer")

    @property
    def inline(self) -> bool:
        return bool(self.timed_s) and max(self.timed_s) < INLINE_S

    def run(self, sample: Sample, fresh: bool) -> Ran:
        begin_s = time.perf_counter()
        if fresh:
            self._model.reset()
        self._heard.clear()
        outputs = tuple(self._model.run_bytes(sample))
        return Ran(outputs, compute_s=time.perf_counter() - begin_s, events=tuple(self._heard))

    def close(self) -> None:
        pass
