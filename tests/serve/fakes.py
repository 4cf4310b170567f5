# SPDX-License-Identifier: Apache-2.0
"""Members that do as a test says: slow, broken, silent, lying."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tinyserve.errors import DeviceError
from tinyserve.serve.config import MemberSpec
from tinyserve.serve.engines import Engine, Identity
from tinyserve.serve.member import OpenEngine
from tinyserve.serve.request import Ran, Sample
from tinyserve.serve.served import Served


@dataclass
class Script:
    """What the members do. ``seconds``: of an inference. ``claimed_s``: what members that are opened say that
    one takes them; None: ``seconds``. Claims of many seconds keep a busy machine's own delays out of what is
    admitted. ``gate``: closed, nothing gets done."""

    seconds: float = 0.0
    claimed_s: float | None = None
    broken: dict[str, str] = field(default_factory=dict)
    lying: set[str] = field(default_factory=set)
    absent: dict[str, str] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    ran: list[tuple[str, Sample]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def open(self) -> OpenEngine:
        """For ``Gateway``."""

        def make(spec: MemberSpec, model: Served) -> Engine:
            self.opened.append(spec.name)
            return FakeEngine(spec, model, self)

        return make


class FakeEngine(Engine):
    """Computes on this computer, as the script says."""

    def __init__(self, spec: MemberSpec, model: Served, script: Script) -> None:
        self._name = spec.name
        self._model = model
        self._host = model.host_model()
        self._script = script
        self.identity = Identity(f"fake {spec.name}", tick_unit="cycles")
        if spec.name in script.broken:
            raise DeviceError(script.broken[spec.name])
        self._is_checked = False
        self.check(model)
        self._is_checked = True
        self.timed_s = (script.seconds if script.claimed_s is None else script.claimed_s,) * 3

    def run(self, sample: Sample, fresh: bool) -> Ran:
        if self._is_checked:
            self._script.gate.wait(30)
            threading.Event().wait(self._script.seconds)
            self._script.ran.append((self._name, sample))
        if self._name in self._script.broken:
            raise DeviceError(self._script.broken[self._name])
        if fresh:
            self._host.reset()
        outputs = tuple(self._host.run_bytes(sample))
        if self._name in self._script.lying:
            outputs = tuple(bytes(len(data)) for data in outputs)
        return Ran(outputs, compute_s=self._script.seconds, ticks=1)

    def absence(self) -> str:
        return self._script.absent.get(self._name, "")

    def close(self) -> None:
        self._script.closed.append(self._name)
