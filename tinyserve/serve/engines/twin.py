# SPDX-License-Identifier: Apache-2.0
"""A twin in a process of its own: emulators keep Python's lock for themselves, and would hold up the
server."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from tinyserve.devices.process import END_TIMEOUT_S, ChildProcess
from tinyserve.errors import DeviceError
from tinyserve.serve.config import MemberSpec
from tinyserve.serve.engines import frames
from tinyserve.serve.engines.base import Engine, Identity
from tinyserve.serve.request import Ran, Sample

PROGRAM = "tinyserve.serve.engines.twin_process"


class TwinEngine(Engine):
    """Raises DeviceError where the twin does not start, or runs another model. It ends with this process,
    however that ends. ``elf``: what it runs; a twin with slots has its own."""

    def __init__(self, spec: MemberSpec, model_sha256: str, elf: Path | None = None) -> None:
        self._name = spec.name
        self._has_flash = bool(spec.directory)
        self._process = ChildProcess([sys.executable, "-m", PROGRAM], talks=True)
        try:
            self._ask(frames.Opening(spec, model_sha256, str(elf or "")))
            self.identity = frames.read(self._process.stdout, Identity)
        except BaseException:
            self._process.close()
            raise

    def run(self, sample: Sample, fresh: bool) -> Ran:
        answer = self._ask(frames.Asked(sample, fresh))
        return Ran(answer.outputs, answer.link_s, answer.compute_s, answer.ticks, answer.events)

    def keep(self) -> None:
        self._ask(frames.Keep())

    def interrupt(self) -> None:
        self._process.kill()

    def absence(self) -> str:
        return "" if self._process.exit_code is None else f"{self._name}: the twin's process has ended"

    def close(self) -> None:
        if self._has_flash:
            with suppress(OSError):
                self._process.stdin.close()  # it writes what its flash holds, and ends
            self._process.wait(END_TIMEOUT_S)
        self._process.close()

    def _ask(self, frame: frames.Opening | frames.Asked | frames.Keep) -> frames.Answered:
        try:
            frames.write(self._process.stdin, frame)
            answer = frames.read(self._process.stdout, frames.Answered)
        except (OSError, ValueError, EOFError) as error:
            self._process.wait(1.0)
            words = self._process.words()
            said = f"; it said: {words[-500:]}" if words else ""
            raise DeviceError(f"{self._name}: the twin's process has ended{said}") from error
        if answer.error:
            raise DeviceError(answer.error, answer.hint)
        return answer
