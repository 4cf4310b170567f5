# SPDX-License-Identifier: Apache-2.0
"""numpy files from anywhere: what they say of themselves is checked before memory is given to it.

A .npz of a few kilobytes may unpack to any size, and the header of a .npy may claim any shape. What is read
fits the file that it comes from, and the memory that this computer has left.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tinyserve import platforms

_MOST_MEMBERS = 10_000
_SHARE = 0.5
_MAGIC_BYTES = 8
_ENDING = ".npy"


def load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a .npz by name.

    Raises ValueError for what is no sound file or does not fit into memory, OSError, zipfile.BadZipFile and
    zlib.error.
    """
    check(path)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def load_array(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy. Raises ValueError and OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        _check_header(path.name, file, size)
    check_memory(size)
    array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def packed(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The .npz of arrays, compressed."""
    file = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(file, **named)
    return file.getvalue()


def check(path: Path) -> None:
    """Raises ValueError where the arrays of a .npz are not as large as their members, or too large for
    memory."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if len(members) <= _MOST_MEMBERS:  # more are refused with that reason
        check_memory(sum(member.file_size for member in members))
    check_headers(path)


def check_headers(path: Path) -> None:
    """Raises ValueError where the arrays of a .npz are not as large as their members: whoever reads it in
    pieces checks the memory of a piece."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise ValueError(f"{len(members)} arrays in one file: at most {_MOST_MEMBERS} are read")
        for member in members:
            if member.filename.endswith(_ENDING):
                with archive.open(member) as file:
                    _check_header(member.filename, file, member.file_size)


def _check_header(name: str, file: IO[bytes], size: int) -> None:
    """``size``: of the whole array file. numpy itself refuses headers of more than 10,000 characters."""
    start = file.read(_MAGIC_BYTES)
    if not start.startswith(np.lib.format.MAGIC_PREFIX):
        return  # numpy says what it is instead, and reads none of it
    version = tuple(start[len(np.lib.format.MAGIC_PREFIX) :])
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or file.tell() + claimed != size:
        raise ValueError(
            f"{name} claims the shape {shape} of {dtype}, {claimed:,} bytes,"
            f" and has {max(0, size - file.tell()):,}"
        )


def check_memory(wanted: int) -> None:
    """Raises ValueError where so many bytes are more than this computer can spare."""
    available = platforms.here().available_bytes()
    if available is not None and wanted > _SHARE * available:
        raise ValueError(
            f"it unpacks to {wanted / 2**20:,.0f} MiB, and {available / 2**20:,.0f} MiB are left here:"
            " split it, or use a directory of .npy files, which is read in pieces"
        )
