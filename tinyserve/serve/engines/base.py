# SPDX-License-Identifier: Apache-2.0
"""What computes for a member: a device (a board or its twin), or this computer. Blocking; one thread at a
time."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

from tinyserve.errors import DeviceError
from tinyserve.serve.request import Ran, Sample
from tinyserve.serve.served import Served

TIMED_RUNS = 3


@dataclass(frozen=True)
class Identity:
    """What a member turned out to be: for `tinyserve fleet status`."""

    description: str
    firmware: str = ""
    version: str = ""
    tick_unit: str = ""
    port: str = ""


class Engine(ABC):
    """Open from its making to ``close``. ``timed_s``: how long some inferences took, after ``check``."""

    identity: Identity
    timed_s: tuple[float, ...] = ()

    @property
    def inline(self) -> bool:
        """Whether an inference is not worth a change of threads."""
        return False

    @abstractmethod
    def run(self, sample: Sample, fresh: bool) -> Ran:
        """One inference; ``fresh``: state is set back before. Raises DeviceError, ToolError."""

    @abstractmethod
    def close(self) -> None:
        """May be called twice."""

    def interrupt(self) -> None:  # noqa: B027 (most have nothing to do)
        """Ends a call of ``run`` that hangs; from any thread. What talks over a line has limits of its
        own."""

    def keep(self) -> None:  # noqa: B027 (most have nothing to do)
        """After ``check``: the model that it was given stays on it. Raises DeviceError."""

    def absence(self) -> str:
        """Why it is known to be gone, without asking it; "" where it may be there. From any thread."""
        return ""

    def check(self, model: Served) -> None:
        """Runs a sample whose answer is known. Raises DeviceError where another one comes."""
        sample, expected = model.golden
        for _ in range(TIMED_RUNS):
            begin_s = time.monotonic()
            ran = self.run(sample, model.stateful)
            self.timed_s = (*self.timed_s, time.monotonic() - begin_s)
            if not model.agrees(ran.outputs, expected):
                raise DeviceError(
                    f"{self.identity.description}: its answer to a known input is wrong",
                    "flash it anew; if that does not help, its memory or its supply is bad",
                )
