# SPDX-License-Identifier: Apache-2.0
"""Writes an export: into an empty directory or over an earlier export, never over anything else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled
from tinyserve.errors import FileSystemError, UsageError, write_hint
from tinyserve.files import refuse_file, refuse_links, write
from tinyserve.firmware.export.kind import kinds_in
from tinyserve.firmware.export.library import Library
from tinyserve.firmware.export.projects.source import Request

KINDS = kinds_in("tinyserve.firmware.export.projects")
LIBRARIES = kinds_in("tinyserve.firmware.export.libraries")
MARK_FILE = ".tinyserve-export"


def export(kind: str, compiled: Compiled, board: Board, directory: Path, model_id: str = "") -> list[Path]:
    """Writes a project of that kind into ``directory`` and returns its files.

    An earlier export is brought up to date; what was added to it stays, and what was edited in it is never
    overwritten. Raises UsageError for what the kind can't do with the board, and FileSystemError.
    """
    if kind not in KINDS:
        raise UsageError(f"--as {kind}: not known", f"use one of: {', '.join(KINDS)}")
    directory = directory.absolute()
    request = Request(compiled, board, model_id or compiled.name, directory.name)
    return _write(KINDS[kind].files(request), directory)


def export_library(kind: str, library: Library, directory: Path) -> list[Path]:
    """Writes the model as a library of that kind into ``directory``; files are treated as in ``export``."""
    if kind not in LIBRARIES:
        raise UsageError(f"--kind {kind}: not known", f"use one of: {', '.join(LIBRARIES)}")
    place = directory.absolute()
    return _write(LIBRARIES[kind].files(replace(library, directory=place.name)), place)


def _write(files: Mapping[str, bytes], directory: Path) -> list[Path]:
    refuse_file(directory)
    try:
        earlier = _earlier_export(directory)
        for name in (*files, *earlier, MARK_FILE):
            refuse_links(directory, directory / name)
        _refuse_foreign(directory, files, earlier)
        for name in earlier.keys() - files.keys():
            (directory / name).unlink(missing_ok=True)
        for name, content in files.items():
            write(directory / name, content)
        mark = "".join(f"{_digest(content)}  {name}\n" for name, content in files.items())
        write(directory / MARK_FILE, mark.encode())
    except OSError as error:
        raise FileSystemError(
            f"cannot write the project: {error.strerror}: {error.filename or directory}",
            write_hint(error, "choose another directory with -o, or make this one writable"),
        ) from error
    return [directory / name for name in files]


def _earlier_export(directory: Path) -> dict[str, str]:
    """The hashes of the files of an earlier export, by path; none elsewhere."""
    mark = directory / MARK_FILE
    if not mark.is_file():
        return {}
    lines = mark.read_text(encoding="utf-8").splitlines()
    named = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    paths = {name: Path(name) for name in named}
    inside = [
        name for name, path in paths.items() if name and not path.is_absolute() and ".." not in path.parts
    ]
    return {name: named[name] for name in inside}


def _refuse_foreign(directory: Path, files: Mapping[str, bytes], earlier: Mapping[str, str]) -> None:
    """What lies there may be lost only where it is as an export left it, or as this one writes it."""
    if not earlier and directory.is_dir() and any(directory.iterdir()):
        raise FileSystemError(
            f"{directory} is in the way and was not written by `tinyserve export`",
            "move it, or choose another directory with -o",
        )
    for name in sorted(files.keys() | earlier.keys()):
        path = directory / name
        if path.is_file():
            digest = _digest(path.read_bytes())
            written = name in files and digest == _digest(files[name])
            if not written and digest != earlier.get(name):
                raise FileSystemError(
                    f"{path} was edited since it was exported", "move it, or choose another directory with -o"
                )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
