# SPDX-License-Identifier: Apache-2.0
"""The firmware built for this computer: a program that speaks the protocol on its standard input and
output."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from tinyserve import platforms
from tinyserve.boards.types import Board
from tinyserve.devices.device import Device
from tinyserve.devices.link import Link, LinkClosed
from tinyserve.devices.process import ChildProcess
from tinyserve.errors import ToolError

WRITE_TIMEOUT_S = 30.0
_CHUNK = 1 << 16


class PipeLink(Link):
    """A link over a child's pipes. A thread reads, because pipes have no portable time-outs."""

    def __init__(self, name: str, process: ChildProcess) -> None:
        super().__init__(name)
        self._process = process
        self._chunks: queue.Queue[bytes] = queue.Queue()
        self._ended = False
        self._reader = threading.Thread(target=self._read, name=f"{name} reader", daemon=True)
        self._reader.start()

    def close(self) -> None:
        super().close()
        self._process.close()
        self._reader.join(timeout=1.0)

    def whereabouts(self) -> str:
        code = self._process.exit_code
        return "" if code is None else f"it ended with {_status(code)}"

    def _read(self) -> None:
        stream = self._process.stdout
        try:
            while data := stream.read1(_CHUNK):  # type: ignore[attr-defined]
                self._chunks.put(data)
        except (OSError, ValueError):
            pass  # closed while reading: the end, too
        self._chunks.put(b"")

    def _send(self, data: bytes) -> None:
        # A program that does not read blocks us: ending it is the way out.
        guard = threading.Timer(WRITE_TIMEOUT_S, self._process.kill)
        guard.start()
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._gone() from error
        finally:
            guard.cancel()

    def _receive(self, timeout_s: float) -> bytes:
        if self._ended:
            raise self._gone()
        try:
            data = self._chunks.get(timeout=max(timeout_s, 0.001))
        except queue.Empty:
            return b""
        if not data:
            self._ended = True
            raise self._gone()
        return data

    def _gone(self) -> LinkClosed:
        code = self._process.wait(1.0)
        how = "it closed its output" if code is None else f"it ended with {_status(code)}"
        words = self._process.words()
        return LinkClosed(self.describe(how) + (f"; it said: {words[-500:]}" if words else ""))


class HostDevice(Device):
    """The firmware as a program. ``wrapper`` is the command that runs it, where it is not run by itself.

    Raises ToolError when it can't be started.
    """

    def __init__(self, program: Path, board: Board, wrapper: Sequence[str] = ()) -> None:
        process = ChildProcess([*wrapper, str(program.resolve())], talks=True)
        super().__init__(PipeLink(board.id, process), "this computer", "ns")
        self._process = process

    def function_counts(self) -> dict[str, int]:
        raise ToolError(
            "valgrind is not installed: it counts functions of this computer's programs",
            platforms.here().installs["valgrind"],
        )

    def close(self) -> None:
        self.link.close()


def _status(code: int) -> str:
    return f"signal {code - 128}" if code > 128 else f"exit status {code}"
