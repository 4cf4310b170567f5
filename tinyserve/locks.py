# SPDX-License-Identifier: Apache-2.0
"""Places that one process at a time works in: two benches on one bundle must not build into each other.

A temporary directory has a lock, too, which tells those that a killed process left. Other lock files lie in
the cache, so that nothing is left beside what a user made. The system frees a lock when
its process ends, however it does.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tinyserve import platforms
from tinyserve.cache import cache_directory
from tinyserve.errors import FileSystemError
from tinyserve.progress import Progress, silent

WAIT_S = 3600.0
_POLL_S = 0.05
_OWNER = ".owner"
_YOUNG_S = 600.0
_held: set[str] = set()


@contextlib.contextmanager
def alone(
    place: Path, progress: Progress = silent, *, shared: bool = False, wait_s: float = WAIT_S
) -> Iterator[None]:
    """Holds ``place`` (a file or directory, there or not) against other processes; with ``shared`` only
    against those that want it alone. This process may hold a place twice.

    Raises FileSystemError where another process has it for longer than ``wait_s``. Where the cache can't be
    written, nothing is held.
    """
    place = place.resolve()
    held = platforms.here().folded(place)
    if held in _held:
        yield
        return
    file = _open(held)
    if file is None:
        yield
        return
    with file:
        _wait(file, place, progress, shared, wait_s)
        _held.add(held)
        try:
            yield
        finally:
            _held.discard(held)


def _open(held: str) -> IO[bytes] | None:
    name = hashlib.sha256(os.fsencode(held)).hexdigest()[:32]
    directory = cache_directory() / "locks"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return (directory / f"{name}.lock").open("ab")
    except OSError:
        return None


def _wait(file: IO[bytes], place: Path, progress: Progress, shared: bool, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    system = platforms.here()
    while True:
        try:
            if system.try_lock(file, shared):
                return
        except OSError:
            return  # a file system without locks
        if time.monotonic() >= deadline:
            raise FileSystemError(
                f"{place}: another tinyserve has been at work there for {wait_s:g} s",
                "end it, or name another place with --bundle, -o, --out or --spool",
            )
        progress(f"waiting for another tinyserve at {place.name}")
        time.sleep(_POLL_S)


@contextlib.contextmanager
def scratch(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A temporary directory of this process, gone at the end, in ``parent`` or the system's place for them.

    Those of the same prefix that processes left behind which were killed go first: the system has freed
    their locks. ``prefix`` names this one purpose. Raises OSError where none can be made.
    """
    place = Path(tempfile.gettempdir()) if parent is None else parent
    _sweep(prefix, place)
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        with (made / _OWNER).open("ab") as owner:
            with contextlib.suppress(OSError):  # a file system without locks
                platforms.here().try_lock(owner, False)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _sweep(prefix: str, place: Path) -> None:
    """Removes directories whose owners have ended. Never raises."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    if _is_left(Path(entry.path)):
                        shutil.rmtree(entry.path, ignore_errors=True)


def _is_left(directory: Path) -> bool:
    """Whether it is this user's, of a process that has ended, and not just being made. Raises OSError."""
    if not platforms.here().is_private(directory):
        return False
    owner = directory / _OWNER
    if owner.is_symlink() or not owner.is_file() or time.time() - owner.stat().st_mtime < _YOUNG_S:
        return False
    with owner.open("r+b") as file:
        return platforms.here().try_lock(file, False)
