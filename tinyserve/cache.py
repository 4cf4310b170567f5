# SPDX-License-Identifier: Apache-2.0
"""Where tinyserve keeps what can be made again: built libraries, build results."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from tinyserve import platforms


def cache_directory() -> Path:
    """The user's cache directory for tinyserve: ``TINYSERVE_CACHE``, else the system's own place."""
    override = os.environ.get("TINYSERVE_CACHE")
    if override:
        return Path(override)
    try:
        return _own_place()
    except RuntimeError:  # no HOME, and no user of this number
        return _temporary_place()


def _own_place() -> Path:
    return platforms.here().cache_base() / "tinyserve"


@cache
def _temporary_place() -> Path:
    """A directory that nobody else can have put something into."""
    system = platforms.here()
    place = Path(tempfile.gettempdir()) / f"tinyserve-{system.private_name()}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        if system.is_private(place):
            return place
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="tinyserve-"))


def in_cache(path: Path) -> bool:
    """Whether a file is there; if so it counts as new, and no other process evicts it before it is used."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:
        return path.is_file()  # a cache that can't be written to is one that nothing is evicted from
    return True


def put(made: Path, stored: Path) -> None:
    """Puts a file into the cache under a name that says all that it was made of. Where the same is there
    already and in use, and the system does not replace what is, that one stays. Raises OSError."""
    try:
        platforms.here().replace(made, stored)
    except PermissionError:
        if not stored.is_file():
            raise


def keep_newest(directory: Path, count: int) -> None:
    """Removes all but the ``count`` most recently used files of a directory. Never raises."""
    try:
        files = sorted((path.stat().st_mtime_ns, path) for path in directory.iterdir() if path.is_file())
    except OSError:
        return
    for _, path in files[: max(0, len(files) - count)]:
        with suppress(OSError):  # in use, where the system removes no open files
            path.unlink(missing_ok=True)
