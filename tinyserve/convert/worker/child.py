# SPDX-License-Identifier: Apache-2.0
"""Starts the worker process, speaks with it, and makes sure that it ends."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy.typing as npt

from tinyserve import errors, locks
from tinyserve.convert.worker import messages
from tinyserve.convert.worker.loaded import load_arrays, save_arrays
from tinyserve.progress import Progress

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # other kernels round differently from run to run of the same model
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "utf-8",
}
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")
_LOG_LINES = 12


class Crashed(errors.ToolError):
    """The worker process ended while it was asked something."""


class Worker:
    """A context manager around one worker process. The process starts with the first request.

    ``environment`` is added to this process's own. ``timeout_s`` bounds the silence between two replies.
    ``command`` starts the process.
    """

    def __init__(
        self,
        progress: Progress,
        timeout_s: float = 600.0,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "tinyserve.convert.server"),
    ) -> None:
        self.progress = progress
        self.timeout_s = timeout_s
        self.environment = dict(environment or {})
        self.command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.Queue[bytes] = queue.Queue()

    def __enter__(self) -> Worker:
        self._scratch = locks.scratch("tinyserve-convert-")
        self.directory = self._scratch.__enter__()
        self._log: IO[bytes] = (self.directory / "worker.log").open("w+b")
        self._counter = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._log.close()
        self._scratch.__exit__(None, None, None)

    def path(self, suffix: str) -> Path:
        """A new path for a file that goes to or comes from the worker; gone when the worker is."""
        self._counter += 1
        return self.directory / f"{self._counter}{suffix}"

    def ask(self, request: messages.Request, stage: str) -> messages.Done:
        """Sends a request and waits for its answer; steps on the way go to ``progress`` as ``stage``.

        Raises what the worker raised, ToolError where it crashed, hung or can't be started.
        """
        self._send(request, stage)
        while True:
            reply = self._reply(stage)
            if isinstance(reply, messages.Step):
                self.progress(stage, reply.done, reply.total)
            elif isinstance(reply, messages.Failed):
                raise self._error(reply, stage)
            else:
                return reply

    def run(
        self, request: Callable[[Path, Path], messages.Request], inputs: list[npt.NDArray[Any]], stage: str
    ) -> tuple[list[npt.NDArray[Any]], messages.Done]:
        """Sends ``request(inputs' path, outputs' path)`` with arrays; returns those that came back."""
        sent, received = self.path(".npz"), self.path(".npz")
        save_arrays(sent, inputs)
        done = self.ask(request(sent, received), stage)
        arrays = load_arrays(received)
        sent.unlink()
        received.unlink()
        return arrays, done

    def stop(self) -> None:
        """Ends the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # Libraries leave files to their own exit handlers, and the worker is killed: its files go with it.
        private = dict.fromkeys(_TEMPORARY, str(self.directory))
        environment = {**os.environ, **QUIET, **private, **self.environment}
        try:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=environment,
            )
        except OSError as error:
            raise errors.ToolError(f"cannot start {self.command[0]}: {error}") from error
        self._replies = queue.Queue()
        threading.Thread(target=_pump, args=(process.stdout, self._replies), daemon=True).start()
        return process

    def _send(self, request: messages.Request, stage: str) -> None:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(messages.encode(request))
            self._process.stdin.flush()
        except OSError:
            raise self._crash(stage) from None

    def _reply(self, stage: str) -> messages.Reply:
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                # Short waits: on Windows an unbounded one can't be interrupted by Ctrl-C.
                line = self._replies.get(timeout=0.5)
                break
            except queue.Empty:
                if time.monotonic() > deadline:
                    self.stop()
                    raise errors.ToolError(
                        f"{stage}: no sign of life for {self.timeout_s:g} s, stopped",
                        "try fewer samples, or a smaller model",
                    ) from None
        if not line:
            raise self._crash(stage)
        return messages.decode_reply(line)

    def _error(self, failed: messages.Failed, stage: str) -> errors.TinyserveError:
        if failed.kind == messages.NeedsLegacyKeras.__name__:
            return messages.NeedsLegacyKeras(failed.message, failed.hint)
        kind = getattr(errors, failed.kind, errors.TinyserveError)
        if failed.unexpected:
            return errors.ModelError(f"{stage} failed: {failed.message}{self._log_tail()}")
        error: errors.TinyserveError = kind(failed.message, failed.hint)
        return error

    def _crash(self, stage: str) -> Crashed:
        process = self._process
        status = process.wait() if process is not None else None
        self.stop()
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        return Crashed(
            f"{stage}: the converter's process crashed ({how}){self._log_tail()}",
            "the model may be damaged or use what the converter does not support; export it again",
        )

    def _log_tail(self) -> str:
        """The last lines that the libraries printed, for the error message."""
        self._log.flush()
        text = (self.directory / "worker.log").read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip()][-_LOG_LINES:]
        return "".join(f"\n  | {line[:200]}" for line in lines)


def _pump(stream: IO[bytes], replies: queue.Queue[bytes]) -> None:
    """Lines from the worker into the queue; an empty one says that the worker has gone."""
    try:
        for line in stream:
            replies.put(line)
    except (OSError, ValueError):
        pass
    replies.put(b"")
