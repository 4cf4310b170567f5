# SPDX-License-Identifier: Apache-2.0
"""This computer."""

from __future__ import annotations

import time

from tinyserve.serve.engines.base import Engine, Identity
from tinyserve.serve.request import Ran, Sample
from tinyserve.serve.served import Served

INLINE_S = 0.0005
"""What computes in less is not worth a change of threads."""


class HostEngine(Engine):
    """The model's kernels for this very processor, in this process."""

    def __init__(self, model: Served) -> None:
        self._model = model.host_model()
        self.identity = Identity("this computer")

    @property
    def inline(self) -> bool:
        return bool(self.timed_s) and max(self.timed_s) < INLINE_S

    def run(self, sample: Sample, fresh: bool) -> Ran:
        begin_s = time.perf_counter()
        if fresh:
            self._model.reset()
        outputs = tuple(self._model.run_bytes(sample))
        return Ran(outputs, compute_s=time.perf_counter() - begin_s)

    def close(self) -> None:
        pass
