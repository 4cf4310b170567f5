# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the tests' own, on a socket in a directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DEBIAN = "/usr/lib/postgresql"
_NOBODY = 65534
_QUIET = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB")


def programs() -> Path | None:
    """Where initdb and postgres are; None where they are not installed."""
    found = [Path(where).resolve().parent for name in ("initdb",) if (where := shutil.which(name))]
    found += sorted(Path(_DEBIAN).glob("*/bin"), reverse=True)
    return next((one for one in found if (one / "initdb").exists() and (one / "postgres").exists()), None)


class Server:
    """Runs from ``start`` to ``stop``, which may be repeated. As root it runs as nobody: it refuses root."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._folder = folder
        self._binaries = binaries
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _NOBODY if os.getuid() == 0 else None
        if self._user is not None:
            os.chown(folder, self._user, -1)
        self._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-N", "--no-locale")

    def database(self) -> str:
        """The URL of a new database."""
        self._count += 1
        name = f"d{self._count}"
        self._run("createdb", "-h", str(self._folder), "-U", "postgres", name)
        return f"postgresql://postgres:secret@/{name}?host={self._folder}"

    def start(self) -> None:
        command = [self._binaries / "postgres", "-D", self._folder / "data", "-k", self._folder, *_QUIET]
        self._process = subprocess.Popen(
            command, user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._run("pg_isready", "-h", str(self._folder), "-t", "30", "-q", tries=100)

    def stop(self) -> None:
        """At once, as a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def _run(self, name: str, *arguments: str, tries: int = 1) -> None:
        command = [str(self._binaries / name), *arguments]
        for left in range(tries, 0, -1):
            done = subprocess.run(
                command, user=self._user, capture_output=True, timeout=60, cwd=self._folder, check=False
            )
            if done.returncode == 0:
                return
            if left == 1:
                raise RuntimeError(f"{name}: {done.stderr.decode(errors='replace')}")
            time.sleep(0.1)


@contextmanager
def running() -> Iterator[Server | None]:
    """A server that runs; None where PostgreSQL is not installed."""
    binaries = programs()
    if binaries is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # a socket's path must be short
        server = Server(Path(folder), binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop()
