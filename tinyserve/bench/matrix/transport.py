# SPDX-License-Identifier: Apache-2.0
"""Directories on their way to a worker on another machine: operators from outside, a TFLM tree."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tinyserve import platforms
from tinyserve.cache import cache_directory, in_cache
from tinyserve.errors import UsageError

MOST_BYTES = 256 << 20
_SOURCES = frozenset({".py", ".h", ".hpp", ".inc", ".c", ".cc", ".cpp", ".S", ".a"})
_KEPT = 16


@dataclass(frozen=True)
class Packed:
    """The sources and libraries of a directory, compressed. ``digest`` is of their names and contents."""

    name: str
    digest: str
    data: bytes


def pack(directory: Path) -> Packed:
    """Raises UsageError for more than is sensibly sent, OSError for unreadable files."""
    files = sorted(
        path
        for path in directory.rglob("*")
        if (path.suffix in _SOURCES or path.name == "Makefile") and path.is_file()
    )
    if sum(path.stat().st_size for path in files) > MOST_BYTES:
        raise UsageError(
            f"{directory}: over {MOST_BYTES >> 20} MiB of sources, too many to send to a cluster's workers",
            "write a tree of what is needed (create_tflm_tree.py), or bench on this machine",
        )
    buffer, total = io.BytesIO(), hashlib.sha256()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in files:
            name, content = path.relative_to(directory).as_posix(), path.read_bytes()
            total.update(f"{name}\0{len(content)}\0".encode() + content)
            archive.writestr(zipfile.ZipInfo(name), content)
    return Packed(directory.name, total.hexdigest()[:24], buffer.getvalue())


def unpack(packed: Packed) -> Path:
    """The directory on this machine. It is kept: what is compiled of it is known by its path and times."""
    place = cache_directory().resolve() / "sent" / packed.digest
    directory = place / packed.name
    if in_cache(place):
        return directory
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sent-", dir=place.parent) as scratch:
        staged = Path(scratch) / "whole"
        (staged / packed.name).mkdir(parents=True)
        with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
            archive.extractall(staged / packed.name)
        try:
            platforms.here().replace(staged, place)
        except OSError:  # another worker was faster
            if not directory.is_dir():
                raise
    _forget_old(place.parent)
    return directory


def _forget_old(parent: Path) -> None:
    kept = []
    for path in parent.iterdir():
        with suppress(FileNotFoundError):  # other workers come and go
            if path.is_dir() and not path.name.startswith("."):
                kept.append((path.stat().st_mtime_ns, path))
    kept.sort()
    for _, path in kept[: max(0, len(kept) - _KEPT)]:
        shutil.rmtree(path, ignore_errors=True)
