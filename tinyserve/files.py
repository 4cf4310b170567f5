# SPDX-License-Identifier: Apache-2.0
"""Result files: complete or not there at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyserve import platforms
from tinyserve.errors import FileSystemError

_PREFIX = 32  # characters, of four bytes at most


def check_writable(path: Path) -> None:
    """Raises FileSystemError where ``path`` could not be written: better before a long run than after it."""
    if path.is_dir():
        raise FileSystemError(f"{path} is a directory", "name a file")
    parent = next((folder for folder in path.absolute().parents if folder.exists()), None)
    if parent is None or not parent.is_dir():
        raise FileSystemError(f"{path}: {parent} is not a directory", "choose another place")
    if path.exists() and not os.access(path, os.W_OK):
        raise FileSystemError(f"{path}: no permission to write it", "choose another place")
    try:
        # As `write` does it: permissions alone don't tell of read-only file systems, or of full ones.
        with tempfile.TemporaryFile(prefix=hidden_prefix(path), dir=parent):
            pass
    except OSError as error:
        raise FileSystemError(
            f"{path}: cannot write to {parent}: {error.strerror or error}", "choose another place"
        ) from error


def hidden_prefix(path: Path) -> str:
    """How a temporary file beside ``path`` begins. Systems take names of 255 bytes, and so may ``path``."""
    return f".{path.name[:_PREFIX]}."


def with_ending(paths: Iterable[Path], endings: Container[str]) -> list[Path]:
    """Those of the paths whose names end so, whatever their case (cameras and Windows write .WAV), in order
    of their names."""
    return sorted(path for path in paths if path.suffix.lower() in endings)


def refuse_special(path: Path) -> None:
    """Raises FileSystemError where ``path``, or anything below it, is a pipe, a device or a socket.

    Reading one need not end. Directories behind links are left out.
    """
    if path.is_dir():
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_symlink() or not entry.is_file():
                    _refuse_special_entry(Path(entry.path))
    elif path.exists() and not path.is_file():
        raise FileSystemError(f"{path} is a pipe, a device or a socket, where a file is wanted", "remove it")


def _refuse_special_entry(path: Path) -> None:
    if not (path.is_symlink() and path.is_dir()):
        refuse_special(path)


def refuse_file(directory: Path) -> None:
    """Raises FileSystemError where a file lies in the place of a directory that is to be written, or above
    it."""
    for place in (directory, *directory.absolute().parents):
        if place.exists():
            if not place.is_dir():
                raise FileSystemError(
                    f"{place} is a file, where a directory is wanted", "choose another with -o"
                )
            return


def refuse_links(root: Path, path: Path) -> None:
    """Raises FileSystemError where ``path`` or a directory between it and ``root`` is a symbolic link:
    ``root`` may be
    anything that the user named, but what lies in it may be a stranger's."""
    part = root
    for name in path.relative_to(root).parts:
        part = part / name
        if part.is_symlink():
            raise FileSystemError(
                f"{part} is a symbolic link: nothing is written through it",
                "remove the link, and run this again",
            )


def refuse_any_link(root: Path) -> None:
    """Raises FileSystemError where anything below ``root`` is a symbolic link: other programs will write
    there."""
    for directory, folders, files in os.walk(root):
        for name in (*folders, *files):
            refuse_links(root, Path(directory) / name)


def write(path: Path, content: bytes) -> None:
    """Writes a file in one step, with the directories above it. Raises FileSystemError."""
    with staged(path) as place:
        place.write_bytes(content)


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """An empty file beside ``path``, which takes its place at the end; after an error nothing is left.

    Raises FileSystemError, for whatever the system refuses meanwhile.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=hidden_prefix(path), dir=path.parent)
        os.close(descriptor)
        place = Path(name)
        try:
            yield place
            place.chmod(0o644)
            platforms.here().replace(place, path)
        finally:
            place.unlink(missing_ok=True)
    except OSError as error:
        raise FileSystemError(
            f"cannot write {path}: {error.strerror or error}", "check permissions and free space"
        ) from error
