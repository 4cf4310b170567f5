# SPDX-License-Identifier: Apache-2.0
"""A board at a serial port, or a twin in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve import boards, workflow
from tinyserve.boards.types import Board
from tinyserve.devices import HasElf, open_device
from tinyserve.devices.client import Client
from tinyserve.devices.device import Device
from tinyserve.serve.config import USB, MemberSpec
from tinyserve.serve.engines.base import Engine, Identity
from tinyserve.serve.request import Ran, Sample
from tinyserve.serve.served import Served

if TYPE_CHECKING:
    from tinyserve.serve.engines.slots import Slots

_OPEN_TIMEOUT_S = 60.0


class DeviceEngine(Engine):
    """A board at a port, or its twin in an emulator (then ``firmware`` is what it runs), with tinyserve's
    firmware of the model with that hash. One with slots gets that model where it has another."""

    _slots: Slots | None

    def __init__(self, spec: MemberSpec, model_sha256: str, firmware: HasElf | None = None) -> None:
        board = boards.load(spec.board)
        port = None if spec.kind == "twin" else _port(spec)
        with ExitStack() as stack:
            device = stack.enter_context(_opened(spec, board, port, firmware))
            self._client = Client(device.link, _OPEN_TIMEOUT_S)
            self._device, self._slots = device, None
            if spec.slots:
                from tinyserve.serve.engines.slots import Slots

                self._client.connect()  # takes the greeting, which SMP passes over
                self._slots = stack.enter_context(closing(Slots(device.link, spec)))
                self._slots.prepare(model_sha256)
                device.keep()
            self._client.expect_board(board.id)
            self._client.expect_model(model_sha256)
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
        self._client.inference_timeout_s = 2.0 + 10 * max(self.timed_s)

    def keep(self) -> None:
        if self._slots is not None:
            self._slots.keep()
            self._device.keep()

    def run(self, sample: Sample, fresh: bool) -> Ran:
        begin_s = time.perf_counter()
        if fresh:
            self._client.reset()
        for index, data in enumerate(sample):
            self._client.load(data, index)
        loaded_s = time.perf_counter()
        ticks = self._client.infer(1)[0]
        computed_s = time.perf_counter()
        events = tuple(self._client.events)
        outputs = tuple(self._client.outputs())
        total_s = time.perf_counter() - begin_s
        # A board's own clock knows better than a line that answers in pieces.
        compute_s = ticks / self._tick_hz if self._tick_hz else computed_s - loaded_s
        return Ran(outputs, max(0.0, total_s - compute_s), compute_s, ticks, events)

    def absence(self) -> str:
        port = self.identity.port
        return (
            f"{port} is gone: the board was unplugged" if _is_path(port) and not Path(port).exists() else ""
        )

    def close(self) -> None:
        self._close()


def _is_path(port: str) -> bool:
    """Not a URL, nor a port of a system that has no files for them."""
    return port.startswith("/")


@contextmanager
def _opened(spec: MemberSpec, board: Board, port: str | None, firmware: HasElf | None) -> Iterator[Device]:
    if spec.directory:
        from tinyserve.slots.connection import held, open_twin

        with held(Path(spec.directory)), open_twin(Path(spec.directory)) as twin:
            yield twin
        return
    emulator = workflow.choose_emulator(board, port is None, spec.emulator or None, port)
    with open_device(firmware, board, emulator=emulator, port=port, baud=spec.baud) as device:
        yield device


def _port(spec: MemberSpec) -> str:
    """The port to open: by its USB serial number where the member has one."""
    if not spec.link.startswith(USB):
        return spec.link
    from tinyserve.devices.serial import find_serial_number

    return find_serial_number(spec.link.removeprefix(USB))
