# SPDX-License-Identifier: Apache-2.0
"""Converter processes that start in milliseconds: forks of one that has imported TensorFlow already.

Importing it takes a worker process three seconds of CPU, and nearly every test of ``convert`` starts one.
Here one process per test run imports it and forks for each worker that is asked for: each is a process of its
own still, with its own streams, environment and directory. Tests that use ``cold_workers`` have them started
as users do; so have all that run the command line in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.places import CHECKOUT
from tinyserve.convert.worker import child

_LIBRARIES = (
    "tensorflow", "tensorflow.lite.python.lite", "keras", "sklearn.pipeline", "sklearn.ensemble",
    "onnx.inliner", "skl2onnx", "ai_edge_litert.interpreter", "ai_edge_quantizer.quantizer", "tflite_micro",
)  # fmt: skip
_READ_ON_IMPORT = (
    "PYTHONPATH",
    "PYTHONWARNINGS",
    "KERAS_BACKEND",
    "KERAS_HOME",
    "TF_USE_LEGACY_KERAS",
    *child.QUIET,
)
COLD_START = child.Worker._start
_CLIENT = Path(__file__).with_name("warm_client.py")


class WarmWorkers:
    """The process to fork, which starts when the first worker does, and ends with this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="tinyserve-warm-")
        self._place = str(Path(self._folder.name) / "socket")
        self._environment = {**os.environ, **child.QUIET}  # before tests change it

    def command(self) -> list[str]:
        """What starts a worker."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, self._place],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=CHECKOUT,
                env=self._environment,
            )  # fmt: skip
            assert self._process.stdout is not None
            started = self._process.stdout.readline()
            assert started == b"ready\n", f"`python -m {__name__} SOCKET` does not start"
        settings = json.dumps({name: self._environment.get(name) for name in _READ_ON_IMPORT})
        return [sys.executable, "-I", "-S", str(_CLIENT), self._place, settings]

    def close(self) -> None:
        """Ends it, and its forks."""
        if self._process is not None:
            self._process.communicate()  # closes its standard input
        self._folder.cleanup()


@contextlib.contextmanager
def started() -> Iterator[None]:
    """Until the end of the block workers that are started as by default are forks, on Linux: elsewhere
    libraries do not bear it, or there are none."""
    if sys.platform != "linux":
        yield
        return
    warm = WarmWorkers()
    cold = child.Worker(lambda *step: None).command

    def start_warm(worker: child.Worker) -> subprocess.Popen[bytes]:
        if worker.command == cold:
            worker.command = warm.command()
        return COLD_START(worker)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child.Worker, "_start", start_warm)
        try:
            yield
        finally:
            warm.close()


class _Forks:
    """In the process that is forked: its forks, by their process ids."""

    def __init__(self, place: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(place)
        self._listener.listen(64)
        self._lines: dict[int, socket.socket] = {}
        self._woken, wake = socket.socketpair()
        for end in (self._woken, wake):
            end.setblocking(False)
        self._wake = wake
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)

    def serve(self, over: int) -> None:
        """Forks for whoever connects, until the descriptor ``over`` is at its end."""
        with selectors.DefaultSelector() as selector:
            for one in (self._listener, self._woken, over):
                selector.register(one, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == over:
                        return self._end()
                    if key.fileobj is self._woken:
                        self._reap()
                    else:
                        self._fork(self._listener.accept()[0], over)

    def _fork(self, line: socket.socket, over: int) -> None:
        streams: list[int] = []
        try:
            size, streams, _, _ = socket.recv_fds(line, 4, 3)
            with line.makefile("rb") as file:
                about = json.loads(file.read(int.from_bytes(size, "little")))
        except (OSError, ValueError):  # a client that was stopped before it had said all
            for one in (line.detach(), *streams):
                os.close(one)
            return
        forked = os.fork()
        if forked:
            self._lines[forked] = line
            for stream in streams:
                os.close(stream)
            return
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(over)
        for one in (self._listener, self._woken, self._wake, *self._lines.values()):
            one.close()
        _become_worker(line, streams, about)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        while self._lines:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if not ended:
                return
            line = self._lines.pop(ended)
            with line, contextlib.suppress(OSError):
                line.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "little", signed=True))

    def _end(self) -> None:
        for forked in self._lines:
            os.kill(forked, signal.SIGKILL)


def _become_worker(line: socket.socket, streams: list[int], about: dict[str, Any]) -> None:
    """Does what ``python -m tinyserve.convert.server`` does; does not return."""
    from tinyserve.convert import server

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(about["environment"])
    os.chdir(about["directory"])
    tempfile.tempdir = None  # found out before, from another environment
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    status = 1
    try:
        server.main()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _end_with(line: socket.socket) -> None:
    line.recv(1)  # nothing is ever sent: it returns when the other side is gone
    os._exit(128 + signal.SIGKILL)


def main() -> None:
    """Imports, says so, and forks until standard input ends."""
    import importlib

    importlib.import_module("tinyserve.convert.server")
    for library in _LIBRARIES:
        with contextlib.suppress(ImportError):  # where it is not installed, workers say so
            importlib.import_module(library)
    over = os.dup(0)
    forks = _Forks(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    forks.serve(over)


if __name__ == "__main__":
    main()
