# SPDX-License-Identifier: Apache-2.0
"""What an image file says of itself, for hosts. Devices check it all again."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyserve.errors import FileSystemError, ModelError
from tinyserve.slots import image as made
from tinyserve.slots.image import HEADER_BYTES, Version

_MOST_BYTES = 16 << 20
_HINT = "tinyserve sign BUNDLE --board NAME --key FILE makes images"


@dataclass(frozen=True)
class ImageFile:
    """An image, unverified. ``hash``: of header, body and protected TLVs, by which devices name it; the file
    ``is_intact`` where that is what it hashes to."""

    path: Path
    data: bytes
    hash: bytes
    is_intact: bool
    version: Version
    slot_address: int
    model_sha256: bytes
    core: int
    abi: int
    arena_bytes: int
    counter: int


def read(path: Path) -> ImageFile:
    """Reads an image. Raises FileSystemError, and ModelError for what is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", _HINT) from error
    try:
        return _parsed(path, data)
    except (struct.error, KeyError, ValueError) as error:
        raise ModelError(f"{path} is no model image", _HINT) from error


def _parsed(path: Path, data: bytes) -> ImageFile:
    if len(data) < HEADER_BYTES or struct.unpack_from("<I", data)[0] != made.MAGIC or len(data) > _MOST_BYTES:
        raise ValueError("no header")
    head, protected, body = struct.unpack_from("<HHI", data, 8)
    version = Version(*struct.unpack_from("<BBHI", data, 20))
    end = head + body + protected
    if end > len(data):
        raise ValueError("cut short")
    values = dict(_tlvs(data[head + body : end]))
    actual = hashlib.sha256(data[:end]).digest()
    stated = dict(_tlvs(data[end:])).get(made.SHA256, actual)
    return ImageFile(
        path=path,
        data=data,
        hash=stated,
        is_intact=stated == actual,
        version=version,
        slot_address=_word(values[made.SLOT]),
        model_sha256=values[made.MODEL],
        core=_word(values[made.CORE]),
        abi=_word(values[made.ABI]),
        arena_bytes=_word(values[made.ARENA]),
        counter=_word(values[made.COUNTER]),
    )


def _word(value: bytes) -> int:
    return int(struct.unpack("<I", value)[0])


def _tlvs(area: bytes) -> Iterator[tuple[int, bytes]]:
    _, total = struct.unpack_from("<HH", area)
    at = 4
    while at < min(total, len(area)):
        kind, length = struct.unpack_from("<HH", area, at)
        yield kind, area[at + 4 : at + 4 + length]
        at += 4 + length
