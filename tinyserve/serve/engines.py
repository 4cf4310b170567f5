# SPDX-License-Identifier: Apache-2.0
"""What computes for a member: a device (a board or its twin), or this computer. Blocking; one thread at a
time."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyserve import boards, workflow
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import DeviceError, UsageError
from tinyserve.progress import silent
from tinyserve.serve.config import USB, MemberSpec
from tinyserve.serve.request import Ran, Sample
from tinyserve.serve.served import Served

if TYPE_CHECKING:
    from tinyserve.firmware.build import Firmware

TIMED_RUNS = 3
INLINE_S = 0.0005
"""What computes in less on this computer is not worth a change of threads."""
_OPEN_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Identity:
    """What a member turned out to be: for `tinyserve fleet status`."""

    description: str
    firmware: str = ""
    version: str = ""
    tick_unit: str = ""
    port: str = ""


class Engine(ABC):
    """Open from its making to ``close``. ``service_s``: the longest of some inferences, after ``check``."""

    kind: str
    identity: Identity
    service_s = 0.0

    @property
    def inline(self) -> bool:
        """Whether an inference is not worth a change of threads."""
        return self.kind == "host" and self.service_s < INLINE_S

    @abstractmethod
    def run(self, sample: Sample, fresh: bool) -> Ran:
        """One inference; ``fresh``: state is set back before. Raises DeviceError, ToolError."""

    @abstractmethod
    def close(self) -> None:
        """May be called twice."""

    def check(self, model: Served) -> None:
        """Runs a sample whose answer is known. Raises DeviceError where another one comes."""
        sample, expected = model.golden
        for _ in range(TIMED_RUNS):
            begin_s = time.monotonic()
            ran = self.run(sample, model.stateful)
            self.service_s = max(self.service_s, time.monotonic() - begin_s)
            if not model.agrees(ran.outputs, expected):
                raise DeviceError(
                    f"{self.identity.description}: its answer to a known input is wrong",
                    "flash it anew; if that does not help, its memory or its supply is bad",
                )


class HostEngine(Engine):
    """This computer."""

    kind = "host"

    def __init__(self, model: Served) -> None:
        self._model = model.host_model()
        self.identity = Identity("this computer")

    def run(self, sample: Sample, fresh: bool) -> Ran:
        begin_s = time.perf_counter()
        if fresh:
            self._model.reset()
        outputs = tuple(self._model.run_bytes(sample))
        return Ran(outputs, compute_s=time.perf_counter() - begin_s)

    def close(self) -> None:
        pass


class DeviceEngine(Engine):
    """A board at a port, or its twin in an emulator, that runs tinyserve's firmware with this very model."""

    def __init__(self, spec: MemberSpec, model: Served, firmwares: Firmwares) -> None:
        self.kind = "twin" if spec.link == "twin" else "board"
        board = boards.load(spec.board)
        port = None if spec.link == "twin" else _port(spec)
        firmware = firmwares.get(spec, model) if port is None else None
        emulator = workflow.choose_emulator(board, port is None, spec.emulator or None, port)
        with ExitStack() as stack:
            device = stack.enter_context(
                open_device(firmware, board, emulator=emulator, port=port, baud=spec.baud)
            )
            self._client = Client(device.link, _OPEN_TIMEOUT_S)
            self._client.expect_model(model.sha256)
            if spec.firmware:
                self._client.expect_firmware(spec.firmware)
            info = self._client.identify()
            self._tick_hz = info.tick_hz if device.tick_unit != "instructions" else 0
            self.identity = Identity(
                device.description,
                info.firmware_id,
                info.version,
                info.tick_unit,
                port or "",
            )
            self._close = stack.pop_all().close

    def check(self, model: Served) -> None:
        super().check(model)
        # From now on it is known how long an inference takes: a device that says nothing is noticed soon.
        self._client.inference_timeout_s = 2.0 + 10 * self.service_s

    def run(self, sample: Sample, fresh: bool) -> Ran:
        begin_s = time.perf_counter()
        if fresh:
            self._client.reset()
        for index, data in enumerate(sample):
            self._client.load(data, index)
        loaded_s = time.perf_counter()
        ticks = self._client.infer(1)[0]
        computed_s = time.perf_counter()
        outputs = tuple(self._client.outputs())
        total_s = time.perf_counter() - begin_s
        # A board's own clock knows better than a line that answers in pieces.
        compute_s = ticks / self._tick_hz if self._tick_hz else computed_s - loaded_s
        return Ran(outputs, link_s=max(0.0, total_s - compute_s), compute_s=compute_s, ticks=ticks)

    def close(self) -> None:
        self._close()


def open_engine(spec: MemberSpec, model: Served, firmwares: Firmwares) -> Engine:
    """The member's engine, checked: its firmware holds this model, and its answer to a known input is right.

    Raises DeviceError (absent, other firmware, wrong answer), ToolError (no compiler, no emulator) and what
    building a twin's firmware raises.
    """
    engine: Engine = HostEngine(model) if spec.link == "host" else DeviceEngine(spec, model, firmwares)
    try:
        engine.check(model)
    except BaseException:
        engine.close()
        raise
    return engine


class Firmwares:
    """Twins' firmware, built once for all that run the same. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._built: dict[tuple[str, str, str], Firmware] = {}

    def get(self, spec: MemberSpec, model: Served) -> Firmware:
        """That of a member with this model. Raises what building raises."""
        key = (spec.board, spec.optimize, model.sha256)
        with self._lock:
            if key not in self._built:
                self._built[key] = _build(spec, model)
            return self._built[key]


def _build(spec: MemberSpec, model: Served) -> Firmware:
    board = boards.load(spec.board)
    if not workflow.has_twin(board):
        raise UsageError(f"{spec.name}: {board.id} has no twin", "name its port as its link")
    build = workflow.Build(spec.optimize, emulate=workflow.is_twin(board))
    compiled = workflow.to_compiled(model.made, board, build, silent)
    return workflow.to_firmware(model.made, compiled, board, build, silent)


def _port(spec: MemberSpec) -> str:
    """The port to open: by its USB serial number where the member has one."""
    if not spec.link.startswith(USB):
        return spec.link
    from tinyserve.devices.serial import find_serial_number

    return find_serial_number(spec.link.removeprefix(USB))
