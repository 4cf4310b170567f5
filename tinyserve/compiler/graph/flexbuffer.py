# SPDX-License-Identifier: Apache-2.0
"""FlexBuffers: the options of custom operators. Only what they hold is read: a map of scalars."""

from __future__ import annotations

import struct

from tinyserve.errors import ModelError

Scalar = int | float

_INT, _UINT, _FLOAT, _MAP, _BOOL = 1, 2, 3, 9, 26
_FORMATS = {
    _INT: {1: "<b", 2: "<h", 4: "<i", 8: "<q"},
    _UINT: {1: "<B", 2: "<H", 4: "<I", 8: "<Q"},
    _BOOL: {1: "<B", 2: "<H", 4: "<I", 8: "<Q"},
    _FLOAT: {4: "<f", 8: "<d"},
}
_MOST_ENTRIES = 1 << 10


def read_map(data: bytes) -> dict[str, Scalar]:
    """The scalars of a map by their names (numbers, and 0 or 1 for booleans); other values are left out.

    Raises ModelError for bytes that are not a FlexBuffers map.
    """
    try:
        return _read_map(data)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise ModelError(
            f"a custom operator's options are no FlexBuffers map ({error})", "export the model again"
        ) from error


def _read_map(data: bytes) -> dict[str, Scalar]:
    width, packed = data[-1], data[-2]
    if packed >> 2 != _MAP:
        raise ValueError(f"type {packed >> 2}")
    root = len(data) - 2 - width
    start = root - _unsigned(data, root, width)
    width = 1 << (packed & 3)
    count = _unsigned(data, start - width, width)
    if count > _MOST_ENTRIES:
        raise ValueError(f"{count} entries")
    key_width = _unsigned(data, start - 2 * width, width)
    keys = start - 3 * width - _unsigned(data, start - 3 * width, width)
    found: dict[str, Scalar] = {}
    for index in range(count):
        place = keys + index * key_width
        kind = data[start + count * width + index] >> 2
        if kind in _FORMATS:
            name = _name(data, place - _unsigned(data, place, key_width))
            found[name] = _scalar(data, start + index * width, _FORMATS[kind][width])
    return found


def _unsigned(data: bytes, place: int, width: int) -> int:
    return int(_scalar(data, place, _FORMATS[_UINT][width]))


def _scalar(data: bytes, place: int, layout: str) -> Scalar:
    if place < 0:
        raise IndexError("an offset before the start")
    value: Scalar = struct.unpack_from(layout, data, place)[0]
    return value


def _name(data: bytes, place: int) -> str:
    if place < 0:
        raise IndexError("an offset before the start")
    return data[place : data.index(b"\0", place)].decode("ascii", errors="replace")
